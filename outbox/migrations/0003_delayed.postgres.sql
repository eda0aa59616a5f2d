-- Events that are not due yet. When they are, the relay moves them to leat_outbox, in the order of
-- due and number.
create table leat_outbox_delayed (
    number     bigint generated always as identity primary key,
    due        bigint not null, -- microseconds since 1970
    topic      text not null,
    key        bytea,
    event_id   text not null,
    event_type text not null,
    attributes bytea not null,
    data       bytea
);

create index leat_outbox_delayed_due on leat_outbox_delayed (due, number);
