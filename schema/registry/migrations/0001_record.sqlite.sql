-- The log of the schema registry, record by record as it would stand in Kafka's topic _schemas.
-- Nothing is ever taken out: positions and ids do not come back.
create table leat_registry_record (
    position integer primary key, -- from 0, without a gap
    at       integer not null, -- milliseconds since 1970
    key      blob not null,
    value    blob -- null: a tombstone
);
