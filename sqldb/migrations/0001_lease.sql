create table leat_lease (
	name text not null primary key,
	holder text not null,
	token bigint not null,
	expires_at timestamp with time zone not null
);
