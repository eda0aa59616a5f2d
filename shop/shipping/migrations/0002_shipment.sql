create table shipment (
    order_id text primary key,
    state    text not null,
    lines    text not null, -- JSON
    tracking text not null
);
