"""Alipay's official Python SDK (alipay-sdk-python), pointed at the simulated gateway, and a shop that uses it."""

import http.client
import os
import secrets
import time
import urllib.parse

# The SDK stamps its requests with the machine's local time, and Alipay lives in China.
os.environ["TZ"] = "CST-8"
time.tzset()

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.util import WebUtils
from alipay.aop.api.util.SignatureUtils import get_sign_content, verify_with_rsa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from play import expect
from receiver import Receiver
from simulator import Simulator


def connect_to_the_port(url, query_string, timeout):
    """The SDK's `get_http_connection` takes port 80 or 443 whatever the address says; this one takes the port."""
    address = urllib.parse.urlparse(url)
    return f"{url}?{query_string}", http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)


# The one thing of the SDK that is changed, so that it finds the simulator.
WebUtils.get_http_connection = connect_to_the_port


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def bare(pem):
    """A key as Alipay's tools hand it over: one line of base64."""
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


def private_text(key):
    """PKCS#1, which the SDK reads."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return bare(pem.decode())


def public_pem(key):
    public = key.public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def sdk_class(method, kind):
    """The SDK's class of a method: `alipay.trade.pay` and `Request` give `AlipayTradePayRequest`."""
    name = "".join(word.capitalize() for word in method.split(".")) + kind
    folder = {"Model": "domain"}.get(kind, kind.lower())
    module = __import__(f"alipay.aop.api.{folder}.{name}", fromlist=[name])
    return getattr(module, name)


class Shop:
    """An app of a merchant, and what it keeps of its own."""

    def __init__(self, base_url):
        self.gateway = Simulator(base_url, "alipay")
        key = new_key()
        self.account = self.gateway.account(app_public_key_pem=public_pem(key))
        self.key_text = private_text(key)
        self.client = self.client_with()
        self.run_id = secrets.token_hex(5).upper()
        self.count = 0
        self.books = []
        self.door = Receiver(self.judge, (200, "text/plain", b"success"), (200, "text/plain", b"fail"))

    def client_with(self, **settings):
        config = AlipayClientConfig()
        config.server_url = self.account["gateway_url"]
        config.app_id = self.account["app_id"]
        config.app_private_key = self.key_text
        config.alipay_public_key = bare(self.account["alipay_public_key_pem"])
        for name, value in settings.items():
            setattr(config, name, value)
        return DefaultAlipayClient(config)

    def number(self, prefix):
        self.count += 1
        return f"{prefix}{self.run_id}{self.count:04}"

    def request(self, method, notify_url=None, **content):
        model = sdk_class(method, "Model").from_alipay_dict(content)
        request = sdk_class(method, "Request")(biz_model=model)
        if notify_url:
            request.notify_url = notify_url
        return request

    def call(self, method, notify_url=None, client=None, **content):
        """An answer that the SDK verified and parsed."""
        verified = (client or self.client).execute(self.request(method, notify_url, **content))
        answer = sdk_class(method, "Response")()
        answer.parse_response_content(verified)
        return answer

    def pay(self, yuan, code, number=None, notify_url=None, client=None, subject="地铁便利店 矿泉水2瓶"):
        """A payment by bar code, as the SDK answers it."""
        return self.call(
            "alipay.trade.pay",
            notify_url,
            client,
            out_trade_no=number or self.number("T"),
            scene="bar_code",
            auth_code=code,
            subject=subject,
            total_amount=yuan,
            query_options=["fund_bill_list"],
        )

    def paid(self, yuan, fen, **more):
        """A payment of a fresh code that must succeed at once."""
        answer = self.pay(yuan, self.gateway.show_code("rider"), **more)
        expect("code", (answer.code, answer.sub_code, answer.total_amount), ("10000", None, yuan))
        self.books.append(("debit", answer.out_trade_no, answer.out_trade_no, fen))
        return answer

    def refund(self, trade, number, yuan):
        return self.call(
            "alipay.trade.refund",
            out_trade_no=trade.out_trade_no,
            out_request_no=number,
            refund_amount=yuan,
            refund_reason="少拿一瓶",
        )

    def judge(self, _headers, body):
        """The pairs of a notification whose signature the SDK accepts, else None."""
        pairs = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        signature = pairs.pop("sign", "")
        pairs.pop("sign_type", None)
        message = get_sign_content(pairs).encode(pairs.get("charset", "utf-8"))
        try:
            good = verify_with_rsa(bare(self.account["alipay_public_key_pem"]), message, signature)
        except Exception:
            return None
        return pairs if good else None
