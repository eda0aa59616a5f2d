create table charge (order_id text primary key, cents bigint not null);
