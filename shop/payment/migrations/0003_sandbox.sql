create table sandbox (
    key      text primary key,
    customer text not null default '',
    amount   bigint not null default 0,
    currency text not null default '',
    captured bigint not null default 0, -- how often money was taken: 0 or 1
    returned bigint not null default 0, -- how often it was given back: 0 or 1
    closed   bigint not null default 0, -- 1: nothing more is taken under this key
    captures bigint not null default 0, -- calls
    returns  bigint not null default 0  -- calls
);
