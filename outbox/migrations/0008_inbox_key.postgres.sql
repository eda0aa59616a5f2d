-- Events whose effects are committed, in the place of leat_inbox: half as large a row, and half as large
-- an entry in the index, for an event.
create table leat_inbox_key (
    key uuid primary key, -- leat_inbox_id
    at  bigint not null   -- microseconds since 1970
);

create index leat_inbox_key_at on leat_inbox_key using brin (at) with (pages_per_range = 16, autosummarize = on);

-- leat_inbox_id is what an event is in leat_inbox_key. A UUID of version 7 or 4, in lower case, stays what
-- it is but for its last eight bytes, which group and source turn about. Any other id is ten bytes of a hash of all three,
-- behind six that put those side by side that end with a number: three of a hash of what is before the
-- number, and that number by 32.
create function leat_inbox_id(of_group text, of_source text, of_id text) returns uuid
language plpgsql stable strict parallel safe as $$
declare
    space  bytea := int4send(octet_length(convert_to(of_group, 'UTF8'))) || convert_to(of_group, 'UTF8')
                 || int4send(octet_length(convert_to(of_source, 'UTF8'))) || convert_to(of_source, 'UTF8');
    name   bytea := space || convert_to(of_id, 'UTF8');
    number text := coalesce(substring(of_id from '[0-9]{1,18}$'), '');
    near   bytea;
begin
    if of_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$' then
        return encode(substr(uuid_send(of_id::uuid), 1, 8) || int8send(
            ('x' || replace(substr(of_id, 20), '-', ''))::bit(64)::bigint # ('x' || encode(substr(sha256(space), 1, 8), 'hex'))::bit(64)::bigint), 'hex')::uuid;
    end if;
    near := substr(sha256(substr(name, 1, length(name) - length(number))), 1, 6);
    if number <> '' then
        near := substr(near, 1, 3) || substr(int8send(number::bigint >> 5), 6, 3);
    end if;
    return encode(near || substr(sha256(name), 23, 10), 'hex')::uuid;
end
$$;

-- Instances of older versions write to leat_inbox. What they write is noted in leat_inbox_key too, in the
-- same transaction, and what leat_inbox_key knows is to them what leat_inbox knows: a conflict. A trigger
-- cannot see whether the statement says what to do on one, its text does. It acts with the rights of whoever
-- migrates: the older instances may have none on the new table.
create function leat_inbox_both() returns trigger
language plpgsql volatile security definer set search_path from current as $$
begin
    if exists (select from leat_inbox i where i.consumer_group = new.consumer_group and i.source = new.source and i.id = new.id) then
        return new; -- the primary key's affair
    end if;
    insert into leat_inbox_key (key, at) values (leat_inbox_id(new.consumer_group, new.source, new.id), new.at) on conflict do nothing;
    if found then
        return new;
    elsif current_query() ilike '%on conflict do nothing%' then
        return null;
    end if;
    raise unique_violation using message = 'the inbox knows the event', constraint = 'leat_inbox_key_pkey';
end
$$;

create trigger leat_inbox_both before insert on leat_inbox for each row execute function leat_inbox_both();
