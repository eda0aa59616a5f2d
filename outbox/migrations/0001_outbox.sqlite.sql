-- Events of committed transactions that have not left yet. AUTOINCREMENT: an id never comes back,
-- also when the table has been empty.
create table leat_outbox (
    id         integer primary key autoincrement,
    at         integer not null, -- microseconds since 1970
    skip       integer not null default 0, -- set by hand: park it instead of sending it
    topic      text not null,
    key        blob,
    event_id   text not null,
    event_type text not null,
    attributes blob not null, -- the rest of the envelope
    data       blob
);

create table leat_outbox_meta (
    one        integer primary key check (one = 1),
    outbox     text not null, -- which outbox this is, random, for its lifetime
    token      text not null default '', -- of the latest takeover
    before     text not null default '', -- the token that Kafka had at that takeover
    trouble    text not null default '', -- what keeps the head from leaving
    trouble_at integer not null default 0
);

create table leat_outbox_parked (
    number     integer primary key autoincrement,
    id         integer not null, -- that it had in the outbox
    at         integer not null,
    parked_at  integer not null,
    reason     text not null,
    topic      text not null,
    key        blob,
    event_id   text not null,
    event_type text not null,
    attributes blob not null,
    data       blob
);

-- Events whose effects are committed. The rowid is the order of their coming, by which they are
-- swept.
create table leat_inbox (
    consumer_group text not null,
    source         text not null,
    id             text not null,
    at             integer not null, -- microseconds since 1970
    unique (consumer_group, source, id)
);
