create table stock (
    sku       text primary key,
    available bigint not null check (available >= 0),
    taken     bigint not null check (taken >= 0),
    counted   bigint not null -- what PUT /stock has put there and taken away in all
);
create table reservation (
    order_id text primary key,
    state    text not null,
    lines    text not null -- JSON
);
