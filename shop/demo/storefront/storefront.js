"use strict";

const $ = (id) => document.getElementById(id);
const form = $("order");
const orders = new Map(); // id -> the button that shows it
let source = null; // the open stream
let shown = "";

// All that comes from the services goes in as text, never as HTML.
function text(tag, className, content) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.textContent = content;
  return e;
}

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = message === "";
}

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const flaws = (body.errors || []).map((f) => f.pointer + " " + f.detail).join("; ");
    throw new Error([body.title || answer.status, body.detail, flaws].filter(Boolean).join(": "));
  }
  return body;
}

function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

let key = freshKey(); // stays until its order is taken, so that a second press is no second order

form.addEventListener("input", () => { key = freshKey(); });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const values = new FormData(form);
  button.disabled = true;
  complain("");
  try {
    const order = await ask("/orders", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": "storefront-" + key },
      body: JSON.stringify({
        customer_id: values.get("payment") + "visitor",
        currency: "EUR",
        items: [{ sku: values.get("sku"), quantity: Number(values.get("quantity")), unit_price: 999 }],
      }),
    });
    key = freshKey();
    list(order.order_id, order.state);
    show(order.order_id);
  } catch (error) {
    complain(error.message);
  } finally {
    button.disabled = false;
  }
});

function list(id, state) {
  $("none").hidden = true;
  let button = orders.get(id);
  if (!button) {
    button = text("button", "", "");
    button.type = "button";
    button.addEventListener("click", () => { show(id); $("timeline").focus(); });
    const item = document.createElement("li");
    item.append(button);
    $("orders").prepend(item);
    orders.set(id, button);
  }
  button.replaceChildren(text("span", "", "Order " + id.slice(-8) + ": "), text("span", state, state));
}

function show(id) {
  if (source) source.close();
  for (const [other, button] of orders) {
    if (other === id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  shown = id;
  $("entries").replaceChildren();
  $("cancel").hidden = true;
  $("state").textContent = "Order " + id;
  source = new EventSource("/orders/" + encodeURIComponent(id) + "/timeline");
  source.addEventListener("state", (event) => state(JSON.parse(event.data)));
  source.addEventListener("entry", (event) => entry(JSON.parse(event.data)));
}

function state(order) {
  if (order.order_id !== shown) return;
  const ended = order.state === "completed" || order.state === "cancelled";
  $("cancel").hidden = ended;
  $("cancel").disabled = order.state !== "placed";
  const cost = (order.total.amount / 100).toFixed(2) + " " + order.total.currency;
  $("state").replaceChildren(
    text("span", "", "Order " + order.order_id + " over " + cost + " is "),
    text("span", order.state, order.state),
    text("span", "", order.reason ? " (" + order.reason + ")." : "."),
  );
  list(order.order_id, order.state);
}

function entry(e) {
  const item = document.createElement("li");
  const what = document.createElement("div");
  what.className = "what";
  what.append(text("span", "who", e.service), phrase(e.type) + (e.detail ? " (" + e.detail + ")" : ""));
  const when = text("time", "", new Date(e.at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }));
  when.dateTime = e.at;
  item.append(what, when, text("div", "where", e.topic + " partition " + e.partition + " offset " + e.offset));
  $("entries").append(item);
}

// phrase makes "order cancel requested" of "shop.order.cancel_requested.v1".
function phrase(type) {
  return type.split(".").slice(1, -1).join(" ").replaceAll("_", " ");
}

$("cancel").addEventListener("click", async () => {
  $("cancel").disabled = true;
  complain("");
  try {
    await ask("/orders/" + encodeURIComponent(shown) + "/cancel", { method: "POST" });
  } catch (error) {
    complain(error.message);
  }
});
