-- Payloads by name. Names compare by their bytes, whatever the database's collation.
create table leat_blob (
    name   text collate "C" primary key,
    object oid not null,
    size   bigint not null,
    at     timestamptz not null
);
