-- Events of committed transactions that have not left yet. The order of ids is the order in which
-- events of one key leave: nothing but the identity may give an id, and its sequence caches none.
create table leat_outbox (
    id         bigint generated always as identity (cache 1) primary key,
    at         bigint not null, -- microseconds since 1970, by the writer's clock
    skip       boolean not null default false, -- set by hand: park it instead of sending it
    topic      text not null,
    key        bytea,
    event_id   text not null,
    event_type text not null,
    attributes bytea not null, -- the rest of the envelope
    data       bytea
) with (
    -- every row is deleted soon: clean up by number of dead rows, not by share of the table
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0
);

create table leat_outbox_meta (
    one        integer primary key check (one = 1),
    outbox     text not null, -- which outbox this is, random, for its lifetime
    token      text not null default '', -- of the latest takeover
    before     text not null default '', -- the token that Kafka had at that takeover
    trouble    text not null default '', -- what keeps the head from leaving
    trouble_at bigint not null default 0
);

create table leat_outbox_parked (
    number     bigint generated always as identity primary key,
    id         bigint not null, -- that it had in the outbox
    at         bigint not null,
    parked_at  bigint not null,
    reason     text not null,
    topic      text not null,
    key        bytea,
    event_id   text not null,
    event_type text not null,
    attributes bytea not null,
    data       bytea
);

-- Events whose effects are committed.
create table leat_inbox (
    consumer_group text not null,
    source         text not null,
    id             text not null,
    at             bigint not null, -- microseconds since 1970
    primary key (consumer_group, source, id)
);

create index leat_inbox_at on leat_inbox using brin (at) with (pages_per_range = 16, autosummarize = on);
