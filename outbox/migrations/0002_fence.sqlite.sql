-- The newest claim to each partition that parks events: what an older one does is refused.
create table leat_fence (
    consumer_group text not null,
    topic          text not null,
    part           integer not null,
    epoch          integer not null,
    primary key (consumer_group, topic, part)
);
