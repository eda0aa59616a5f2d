-- SQLite has no log that could be read: the columns are there so that the tables are the same.
alter table leat_outbox_meta add column slot text not null default '';
alter table leat_outbox_parked add column slot text;
alter table leat_outbox_parked add column said_at integer;
alter table leat_outbox_parked add column said_no integer;
