create table op (id text primary key);
create table item (k text primary key, n integer not null);
create table effect (seq integer primary key autoincrement, k text not null, n integer not null, id text not null);
