-- Sweeps go by place. Once space was used again, the summary of every range of blocks held the oldest time.
-- Instances of older versions sweep without it, by reading the table.
drop index if exists leat_inbox_key_at;
