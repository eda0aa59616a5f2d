-- How many relays share the work: shards is in force, shards_wanted is what comes.
alter table leat_outbox_meta add column shards integer not null default 1;
alter table leat_outbox_meta add column shards_wanted integer not null default 1;

-- What leat_outbox_meta keeps of shard 0, for the others.
create table leat_outbox_shard (
    shard      integer primary key,
    token      text not null default '',
    before     text not null default '',
    trouble    text not null default '',
    trouble_at bigint not null default 0
);
