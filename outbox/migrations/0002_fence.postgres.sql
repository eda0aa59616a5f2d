-- The newest claim to each partition that parks events: what an older one does is refused.
create table leat_fence (
    consumer_group text not null,
    topic          text not null,
    part           integer not null,
    epoch          bigint not null,
    primary key (consumer_group, topic, part)
);

-- leat_fenced is the newest claim's epoch, 0 where there is none. The transaction holds the claim in
-- common with others until its end: whoever raises it waits for that. A lock of the row itself would
-- be written by each transaction. Volatile: each of the two statements sees what was committed before
-- it began, so that the epoch is read as it is under the lock.
create function leat_fenced(of_group text, of_topic text, of_part integer) returns bigint
language plpgsql volatile as $$
declare
    newest bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtextextended(current_schema || '/leat_fence/' || of_group || '/' || of_topic || '/' || of_part, 0));
    select epoch into newest from leat_fence where consumer_group = of_group and topic = of_topic and part = of_part;
    return coalesce(newest, 0);
end
$$;
