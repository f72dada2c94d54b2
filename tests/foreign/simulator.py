"""What stands around a gateway: its control interface, and the phone of a user. No SDK has a word for these."""

import contextlib
import datetime
import json
import time
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

CHINA = datetime.timezone(datetime.timedelta(hours=8))

# Everything is on this machine; a proxy that the environment names must not be asked.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url, data=None, content_type=None):
    """Status and bytes of an HTTP exchange."""
    request = urllib.request.Request(url, data=data)
    if content_type:
        request.add_header("Content-Type", content_type)
    try:
        with _direct.open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


class Simulator:
    """One gateway of a running simulator."""

    def __init__(self, base_url, gateway):
        self.base_url = base_url.rstrip("/")
        self.gateway = gateway

    def _control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        status, answer = fetch(f"{self.base_url}/control/{path}", data, "application/json")
        if status != 200:
            raise RuntimeError(f"/control/{path}: {status} {answer.decode(errors='replace')}")
        return json.loads(answer)

    def account(self, **wishes):
        """Opens a merchant account, or changes one; answers what the merchant is handed out."""
        return self._control(f"accounts/{self.gateway}", wishes)

    def fault(self, effect, operation, order_no, **more):
        """Something will go wrong once, with this order."""
        line = {"gateway": self.gateway, "operation": operation, "order_no": order_no, "effect": effect}
        self._control("faults", line | more)

    def _movements(self, account):
        query = urllib.parse.urlencode({"gateway": self.gateway})
        return [row for row in self._control(f"books?{query}") if row["account"] == account]

    def books(self, account):
        """The movements of one merchant account, oldest first: kind, number, payment's number, fen."""
        names = ("kind", "order_no", "payment_no", "amount_fen")
        return [tuple(row[name] for name in names) for row in self._movements(account)]

    def business_days(self, account):
        """The days on which money moved; there is more than one when it was midnight meanwhile."""
        moments = (row["at_ms"] // 1000 for row in self._movements(account))
        return sorted({datetime.datetime.fromtimestamp(moment, CHINA).date() for moment in moments})

    def notices(self, order_no):
        """The tries to deliver notifications about one number."""
        return self._control("notices?" + urllib.parse.urlencode({"gateway": self.gateway, "order_no": order_no}))

    @contextlib.contextmanager
    def later(self, seconds):
        """For a while it is so much later, for the gateway and for this merchant's own clock."""
        offset_ms = self._control("clock")["offset_ms"]
        real = time.time
        self._control("clock", {"offset_ms": offset_ms + seconds * 1000})
        try:
            with unittest.mock.patch("time.time", lambda: real() + seconds):
                yield
        finally:
            self._control("clock", {"offset_ms": offset_ms})

    def phone(self, act, **form):
        """The user does something; status and bytes of the answer."""
        data = urllib.parse.urlencode(form).encode()
        return fetch(f"{self.base_url}/{self.gateway}/phone/{act}", data)

    def show_code(self, user, needs_password=False):
        """The user shows a payment code."""
        form = {"user": user} | ({"needs_password": "1"} if needs_password else {})
        status, answer = self.phone("code", **form)
        if status != 200:
            raise RuntimeError(f"no payment code: {status}")
        return json.loads(answer)["code"]

    def type_password(self, code, agree=True):
        """The user types the password for a payment that waits, or refuses to."""
        status, answer = self.phone("password", code=code, agree="1" if agree else "0")
        if status != 204:
            raise RuntimeError(f"no payment waits for the password: {status} {answer.decode(errors='replace')}")


def seconds_until_bills_of(day):
    """How long it is until noon of the day after, when the bills of a day are there."""
    noon = datetime.datetime.combine(day, datetime.time(12), CHINA) + datetime.timedelta(days=1)
    return int((noon - datetime.datetime.now(CHINA)).total_seconds())
