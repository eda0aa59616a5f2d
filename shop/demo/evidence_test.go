package demo

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatdev/leat/shop"
	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/payment"
)

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	e := sound()
	for i := range 1000 {
		e.fates[fmt.Sprint("x", i)] = &fate{charge: payment.Pending}
	}
	if n := len(audit(e, 7, time.Unix(0, 0)).Findings); n == 0 || n > 3*mostFindings {
		t.Errorf("%d findings", n)
	}
}

func TestMeasureTellsHowFastItWas(t *testing.T) {
	t.Parallel()
	e := sound()
	at := time.Unix(2000, 0)
	for i, id := range []string{"done", "plain"} {
		e.fates[id].placed = at.Add(time.Duration(i) * time.Second)
		e.fates[id].ended = e.fates[id].placed.Add(time.Duration(i+1) * 100 * time.Millisecond)
	}
	e.deeds = e.deeds[:1:1]
	e.deeds = append(e.deeds, deed{order: "plain"})
	var r Report
	measure(e, &r, at.Add(-time.Second))
	if r.FirstCompletedMS != 1100 || r.P50MS != 100 || r.P99MS != 200 || r.OrdersPerS != 1.6 {
		t.Errorf("got %+v", r)
	}
	var later Report
	measure(e, &later, at.Add(time.Hour))
	if later.FirstCompletedMS != 0 || later.OrdersPerS != 0 || later.P99MS != 200 {
		t.Errorf("a later run got %+v", later)
	}
}

func TestReadersAreTheGroupsOfTheContract(t *testing.T) {
	t.Parallel()
	readers := readersOf(shop.Services(shop.Config{}))
	want := map[string]int{"shop.orders": 5, "shop.payments": 3, "shop.inventory": 2, "shop.shipments": 2, "shop.notifications": 1}
	for topic, n := range want {
		if len(readers[topic]) != n {
			t.Errorf("%s has the readers %v, want %d", topic, readers[topic], n)
		}
	}
	if got := refusing(readers["shop.payments"], contract.PaymentSucceeded{}.EventType()); len(got) != 2 {
		t.Errorf("payment.succeeded is taken by %v", got)
	}
}

func TestSumMetric(t *testing.T) {
	t.Parallel()
	text := "# HELP leat_x y\nleat_x{a=\"b c\"} 2\nleat_x 3.5\nleat_x_total 9\nleat_x{a=\"}\"} 1 123\n"
	if got := sumMetric(text, "leat_x"); got != 6.5 {
		t.Errorf("got %g", got)
	}
}
