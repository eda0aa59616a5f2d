-- Mode message: the replication slot that brings what Publish says to the log, '' while there is none.
alter table leat_outbox_meta add column slot text not null default '';

-- Of a parked event that came out of a slot: which one, and its place there.
alter table leat_outbox_parked add column slot text;
alter table leat_outbox_parked add column said_at bigint; -- of its commit
alter table leat_outbox_parked add column said_no integer; -- within its transaction

-- leat_say says events to the write-ahead log, and refuses where nothing would hear them. The lock is
-- held to the transaction's end: whoever takes the slot away waits for those who have relied on it.
create function leat_say(events bytea[]) returns void
language plpgsql volatile as $$
declare
    ear text;
    prefix text;
    event bytea;
begin
    perform pg_advisory_xact_lock_shared(hashtextextended(current_schema || '/leat_outbox/slot', 0));
    select slot, 'leat_' || replace(lower(outbox), '-', '') into ear, prefix from leat_outbox_meta;
    if coalesce(ear, '') = '' or not exists (select from pg_replication_slots where slot_name = ear and coalesce(wal_status, 'lost') <> 'lost') then
        raise exception 'the outbox has no replication slot, and an event that is said would be lost'
            using errcode = '53L01', hint = 'a relay in mode message makes the slot: does one run, and can it replicate?';
    end if;
    foreach event in array events loop
        perform pg_logical_emit_message(true, prefix, event);
    end loop;
end
$$;
