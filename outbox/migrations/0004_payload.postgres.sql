-- Payloads of committed events that lie in the store of payloads: what lies there and is not named
-- here belongs to a transaction that was rolled back.
create table leat_outbox_payload (
    name text not null primary key,
    at   bigint not null -- when it was committed, microseconds since 1970
);
create index leat_outbox_payload_at on leat_outbox_payload (at);

-- The day up to which orphans were swept, exclusive; '': none yet.
alter table leat_outbox_meta add column payloads_swept text not null default '';
