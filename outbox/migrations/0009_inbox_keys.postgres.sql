-- What leat_inbox knows from before its trigger was there; nobody who writes to it waits for this. In the
-- order of the rows, which is that of their times. Sweeps empty leat_inbox.
insert into leat_inbox_key (key, at)
    select leat_inbox_id(consumer_group, source, id), at from leat_inbox on conflict do nothing;
