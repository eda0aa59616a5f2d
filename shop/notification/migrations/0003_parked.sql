-- What a notice waits for is its event's to know now, which is parked.
drop index notice_due;
alter table notice drop column due_at;
alter table notice drop column event_id;
alter table notice drop column trace_parent;
