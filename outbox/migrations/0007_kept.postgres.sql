-- Mode retain: events are written here and stay when they have left, in partitions by time that the
-- relay makes and takes away; the last one takes what no other does, so that no write ever fails for
-- want of one. The ids are those of leat_outbox, so that one order holds for both tables.
create table leat_outbox_kept (
    id         bigint not null default nextval('leat_outbox_id_seq'),
    written    bigint not null default floor(extract(epoch from clock_timestamp()) * 1000000)::bigint, -- microseconds since 1970, by this server's clock
    at         bigint not null, -- by the writer's clock
    skip       boolean not null default false, -- set by hand: park it instead of sending it
    topic      text not null,
    key        bytea,
    event_id   text not null,
    event_type text not null,
    attributes bytea not null,
    data       bytea
) partition by range (written);

create index leat_outbox_kept_id on leat_outbox_kept (id);

create table leat_outbox_kept_rest partition of leat_outbox_kept default;
create index leat_outbox_kept_rest_written on leat_outbox_kept_rest (written); -- what lies here is looked for by time

-- Which rows of leat_outbox_kept have left: those up to upto, and those that above lists ("12-40,43").
create table leat_outbox_cursor (
    one    integer primary key check (one = 1),
    number bigint not null, -- counts its changes
    upto   bigint not null,
    above  text not null
) with (fillfactor = 50);

insert into leat_outbox_cursor (one, number, upto, above) values (1, 0, 0, '');
