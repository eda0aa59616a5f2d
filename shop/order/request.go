package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/leatdev/leat/shop/api"
	"github.com/leatdev/leat/shop/contract"
)

// Request is the body of POST /orders.
type Request struct {
	CustomerID string          `json:"customer_id"`
	Currency   string          `json:"currency"`
	Items      []contract.Item `json:"items"`
}

// order checks the request and makes an order of it.
func (r Request) order(id string) (Order, error) {
	var flaws []api.Flaw
	flaw := func(pointer, format string, args ...any) {
		flaws = append(flaws, api.Flaw{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
	if r.CustomerID == "" {
		flaw("/customer_id", "is empty")
	} else if err := contract.ValidText(r.CustomerID); err != nil {
		flaw("/customer_id", "%v", err)
	}
	if err := contract.ValidCurrency(r.Currency); err != nil {
		flaw("/currency", "%v", err)
	}
	if n := len(r.Items); n == 0 || n > contract.MaxItems {
		flaw("/items", "has %d items: send 1 to %d", n, contract.MaxItems)
	}
	for i, it := range r.Items[:min(len(r.Items), contract.MaxItems)] {
		at := "/items/" + strconv.Itoa(i)
		if err := contract.ValidSKU(it.SKU); err != nil {
			flaw(at+"/sku", "%v", err)
		}
		if it.Quantity < 1 || it.Quantity > contract.MaxQuantity {
			flaw(at+"/quantity", "is %d: send 1 to %d", it.Quantity, contract.MaxQuantity)
		}
		if it.UnitPrice < 0 || it.UnitPrice > contract.MaxPrice {
			flaw(at+"/unit_price", "is %d: send minor units, 0 to %d", it.UnitPrice, int64(contract.MaxPrice))
		}
	}
	total, ok := contract.Total(r.Items, r.Currency)
	if !ok && flaws == nil {
		flaw("/items", "cost more than can be counted")
	}
	if flaws != nil {
		p := api.Refuse(http.StatusUnprocessableEntity, "the order was read and can't be taken as it is")
		p.Fields = flaws
		return Order{}, p
	}
	return Order{ID: id, CustomerID: r.CustomerID, Total: total, State: Placed}, nil
}

// hash tells one request from another under the same idempotency key.
func (r Request) hash() (string, error) {
	canonical, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// maxKey bounds an idempotency key, in bytes.
const maxKey = 255

func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", api.Refuse(http.StatusBadRequest, "send an Idempotency-Key header, a fresh random text per order, so that the request can be repeated")
	}
	if len(key) > maxKey {
		return "", api.Refuse(http.StatusBadRequest, "the Idempotency-Key is longer than %d bytes", maxKey)
	}
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return "", api.Refuse(http.StatusBadRequest, "the Idempotency-Key has other characters than printable ASCII")
		}
	}
	return key, nil
}
