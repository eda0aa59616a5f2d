-- Events that are not due yet. When they are, the relay moves them to leat_outbox, in the order of
-- due and number.
create table leat_outbox_delayed (
    number     integer primary key autoincrement,
    due        integer not null, -- microseconds since 1970
    topic      text not null,
    key        blob,
    event_id   text not null,
    event_type text not null,
    attributes blob not null,
    data       blob
);

create index leat_outbox_delayed_due on leat_outbox_delayed (due, number);
