package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/service"
	"github.com/leatdev/leat/test/chaos/audit"
)

// gatherer reads the final state into a history of its own.
type gatherer struct {
	watch    *watch
	brokers  []string
	database string
	services []service.Config
	log      *audit.Log
}

// gather reads whole topics under both isolation levels, offsets, dead letters and tables.
func (g *gatherer) gather(ctx context.Context) error {
	high, err := g.watch.ends(ctx, false)
	if err != nil {
		return err
	}
	stable, err := g.watch.ends(ctx, true)
	if err != nil {
		return err
	}
	for at, o := range high {
		line := audit.Line{Op: audit.Mark, Topic: o.Topic, Partition: o.Partition, Offset: o.Offset, Stable: stable[at].Offset, Final: true}
		if err := g.log.See(line); err != nil {
			return err
		}
	}
	for _, committed := range []bool{false, true} {
		ends := high
		if committed {
			ends = stable
		}
		if err := g.dump(ctx, committed, ends); err != nil {
			return err
		}
	}
	if err := g.letters(ctx); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, g.database)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, s := range g.services {
		if s.Name == copierName {
			if err := errors.Join(g.takes(s), g.copies(ctx, stable)); err != nil {
				return err
			}
			continue
		}
		if err := errors.Join(g.takes(s), g.effects(ctx, conn, s.Name), g.outbox(ctx, conn, s.Name)); err != nil {
			return err
		}
	}
	return g.tables(ctx, conn)
}

const batch = 500

// dump writes down all records below the ends.
func (g *gatherer) dump(ctx context.Context, committed bool, ends map[string]kadm.ListedOffset) error {
	var some []audit.Record
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := g.log.See(audit.Line{Op: audit.Logged, Committed: committed, Records: some})
		some = nil
		return err
	}
	err := read(ctx, g.brokers, committed, ends, func(r *kgo.Record) error {
		if some = append(some, describe(r)); len(some) == batch {
			return flush()
		}
		return nil
	})
	return errors.Join(err, flush())
}

// read calls fn for all records below the ends.
func read(ctx context.Context, brokers []string, committed bool, ends map[string]kadm.ListedOffset, fn func(*kgo.Record) error) error {
	isolation := kgo.ReadUncommitted()
	if committed {
		isolation = kgo.ReadCommitted()
	}
	from := map[string]map[int32]kgo.Offset{}
	open := map[string]bool{}
	for at, o := range ends {
		if o.Offset == 0 {
			continue
		}
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
		open[at] = true
	}
	if len(open) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords())
	if err != nil {
		return fmt.Errorf("make a reader: %w", err)
	}
	defer cl.Close()
	for len(open) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("read topics to their ends, %d partitions are left: %w", len(open), err)
		}
		for r := range fetches.RecordsAll() {
			at := place(r.Topic, r.Partition)
			end := ends[at].Offset
			if r.Offset < end && !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return err
				}
			}
			if r.Offset >= end-1 {
				delete(open, at)
			}
		}
	}
	return nil
}

// letters writes down the dead letters of every group.
func (g *gatherer) letters(ctx context.Context) error {
	var names []string
	for _, s := range g.services {
		for _, h := range s.Handlers {
			names = append(names, leat.DeadLetters(h.Topic.Name, s.Name))
		}
	}
	slices.Sort(names)
	listed, err := g.watch.adm.ListCommittedOffsets(ctx, slices.Compact(names)...)
	if err != nil {
		return fmt.Errorf("read where the dead letters end: %w", err)
	}
	ends := map[string]kadm.ListedOffset{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			ends[place(o.Topic, o.Partition)] = o
		}
	})
	return read(ctx, g.brokers, true, ends, func(r *kgo.Record) error {
		var headers []leat.Header
		for _, h := range r.Headers {
			headers = append(headers, leat.Header{Key: h.Key, Value: h.Value})
		}
		letter, err := consumer.ParseDeadLetter(headers)
		if err != nil {
			return fmt.Errorf("read the dead letter %s@%d: %w", place(r.Topic, r.Partition), r.Offset, err)
		}
		about := describe(r)
		about.Topic, about.Partition, about.Offset = letter.Source.Topic, letter.Source.Partition, letter.Source.Offset
		return g.log.See(audit.Line{Op: audit.Letter, Group: letter.Group, Reason: string(letter.Reason), Records: []audit.Record{about}})
	})
}

// takes writes down which events a service takes.
func (g *gatherer) takes(s service.Config) error {
	types := map[string][]string{}
	for _, h := range s.Handlers {
		types[h.Topic.Name] = append(types[h.Topic.Name], h.Kind.Type)
	}
	for topic, t := range types {
		if err := g.log.See(audit.Line{Op: audit.Takes, Group: s.Name, Topic: topic, Types: t}); err != nil {
			return err
		}
	}
	return nil
}

// rows calls fn for each row of a query.
func rows(ctx context.Context, conn *pgx.Conn, query string, fn func(scan func(...any) error) error) error {
	got, err := conn.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	defer got.Close()
	for got.Next() {
		if err := fn(got.Scan); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return got.Err()
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// effects writes down a service's ledger.
func (g *gatherer) effects(ctx context.Context, conn *pgx.Conn, name string) error {
	var all []audit.Record
	err := rows(ctx, conn, `select seq, event_source, event_id, event_type, order_id, topic, topic_partition, topic_offset from `+quoted(name)+`.ledger order by seq`,
		func(scan func(...any) error) error {
			var r audit.Record
			var source, id string
			if err := scan(&r.Seq, &source, &id, &r.Type, &r.Key, &r.Topic, &r.Partition, &r.Offset); err != nil {
				return err
			}
			r.ID = source + "/" + id
			all = append(all, r)
			return nil
		})
	for some := range slices.Chunk(all, batch) {
		err = errors.Join(err, g.log.See(audit.Line{Op: audit.Effect, Group: name, Records: some}))
	}
	return err
}

// outbox writes down what has not left.
func (g *gatherer) outbox(ctx context.Context, conn *pgx.Conn, name string) error {
	for table, reason := range map[string]string{"leat_outbox": "waiting", "leat_outbox_parked": "parked"} {
		var n int64
		if err := conn.QueryRow(ctx, `select count(*) from `+quoted(name)+`.`+table).Scan(&n); err != nil {
			return fmt.Errorf("count the outbox of %s: %w", name, err)
		}
		if n > 0 {
			if err := g.log.See(audit.Line{Op: audit.Waiting, Group: name, Offset: n, Reason: reason}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Columns of every table, in this order: id, key, state, reason, amount, currency, in, out, all, goods.
var tables = map[string]string{
	"orders":      `select id, idempotency_key, state, reason, total, currency, 0, 0, 0, '' from "order".orders`,
	"charge":      `select order_id, '', state, '', amount, currency, 0, 0, 0, '' from payment.charge`,
	"sandbox":     `select key, '', '', '', amount, currency, captured, returned, 0, '' from payment.sandbox`,
	"reservation": `select order_id, '', state, '', 0, '', 0, 0, 0, lines from inventory.reservation`,
	"stock":       `select sku, '', '', '', 0, '', taken, available, counted, '' from inventory.stock`,
	"shipment":    `select order_id, '', state, '', 0, '', 0, 0, 0, lines from shipping.shipment`,
	"notice":      `select order_id || ' ' || reason, '', state, reason, 0, '', 0, 0, 0, '' from notification.notice`,
}

// tables writes down the tables that the shop's services decide by.
func (g *gatherer) tables(ctx context.Context, conn *pgx.Conn) error {
	for table, query := range tables {
		err := rows(ctx, conn, query, func(scan func(...any) error) error {
			r := audit.Row{Table: table}
			var goods string
			if err := scan(&r.ID, &r.Key, &r.State, &r.Reason, &r.Amount, &r.Currency, &r.In, &r.Out, &r.All, &goods); err != nil {
				return err
			}
			if strings.HasPrefix(goods, "[") {
				var lines []struct {
					SKU      string
					Quantity int64
				}
				if err := json.Unmarshal([]byte(goods), &lines); err != nil {
					return err
				}
				for _, l := range lines {
					r.Goods = append(r.Goods, audit.Good{SKU: l.SKU, Quantity: l.Quantity})
				}
			}
			return g.log.See(audit.Line{Op: audit.Stored, Row: &r})
		})
		if err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	return nil
}

// underWay counts what the shop's tables call unfinished.
func underWay(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = conn.QueryRow(ctx, `select
		(select count(*) from "order".orders where state in ('placed', 'cancelling')) +
		(select count(*) from payment.charge where state in ('pending', 'refunding', 'voiding')) +
		(select count(*) from notification.notice where state = 'pending') +
		(select count(*) from "order".leat_outbox) + (select count(*) from payment.leat_outbox) + (select count(*) from inventory.leat_outbox) +
		(select count(*) from shipping.leat_outbox) + (select count(*) from notification.leat_outbox)`).Scan(&n)
	return n, err
}
