"""The WeChat Pay v3 SDK wechatpayv3, pointed at the simulated gateway, and a shop that uses it."""

import json
import os
import secrets

# Everything is on this machine; the SDK must not ask a proxy that the environment names.
os.environ["NO_PROXY"] = "*"

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

from play import expect
from receiver import Receiver


def find_the_simulator(address):
    """The one thing of the SDK that is changed: it writes the real host into this attribute and asks it at once."""
    Core._gate_way = property(lambda core: address, lambda core, host: None)


def new_key_text():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


class Shop:
    """A merchant, and what it keeps of its own."""

    def __init__(self, gateway, partner, **wishes):
        self.gateway = gateway
        self.partner = partner
        self.account = gateway.account(mode="provider" if partner else "direct", **wishes)
        find_the_simulator(self.account["base_url"])
        self.run_id = secrets.token_hex(5).upper()
        self.count = 0
        self.books = []
        self.door = Receiver(
            self.judge, (204, "text/plain", b""), (401, "application/json", b'{"code":"FAIL","message":"refused"}')
        )

    def client_with(self, **settings):
        """An SDK of this merchant's."""
        account = self.account
        usual = {
            "wechatpay_type": WeChatPayType.CODEPAY,
            "mchid": account["mch_id"],
            "private_key": account["api_key_pem"],
            "cert_serial_no": account["api_cert_serial"],
            "appid": account["appid"],
            "apiv3_key": account["api_v3_key"],
            "partner_mode": self.partner,
            "timeout": (5, 30),
        }
        return WeChatPay(**(usual | settings))

    def sub(self):
        return {"sub_mchid": self.account["sub_mch_id"]} if self.partner else {}

    def number(self, prefix):
        self.count += 1
        return f"{prefix}{self.run_id}{self.count:04}"

    def pay(self, fen, code, number=None):
        """A payment by code: status and body, verified by the SDK."""
        number = number or self.number("T")
        status, body = self.client.pay(
            description="地铁便利店-矿泉水2瓶",
            out_trade_no=number,
            amount={"total": fen, "currency": "CNY"},
            payer={"auth_code": code},
            attach="store=S0001",
            scene_info={"device_id": "TILL-1", "store_info": {"out_id": "S0001"}},
            pay_type=WeChatPayType.CODEPAY,
            **self.sub(),
        )
        return status, json.loads(body)

    def paid(self, fen):
        """A payment of a fresh code that must succeed at once."""
        status, body = self.pay(fen, self.gateway.show_code("rider"))
        expect("payment", (status, body.get("trade_state"), body.get("code")), (200, "SUCCESS", None))
        self.books.append(("debit", body["out_trade_no"], body["out_trade_no"], fen))
        return body

    def query(self, **number):
        status, body = self.client.query(**number, **self.sub())
        return status, json.loads(body)

    def refund(self, payment, number, fen):
        status, body = self.client.refund(
            out_refund_no=number,
            out_trade_no=payment["out_trade_no"],
            amount={"refund": fen, "total": payment["amount"]["total"], "currency": "CNY"},
            reason="少拿一瓶",
            notify_url=self.door.url,
            **self.sub(),
        )
        return status, json.loads(body)

    def query_refund(self, number):
        status, body = self.client.query_refund(number, **self.sub())
        return status, json.loads(body)

    def reverse(self, number):
        status, body = self.client.codepay_reverse(number, **self.sub())
        return status, json.loads(body)

    def judge(self, headers, body):
        """What a notification says, if the SDK accepts its signature and opens it, else None."""
        try:
            return self.client.callback(headers, body) or None
        except Exception:
            return None

    def notified(self, what, number, event):
        """A notification about a refund."""
        return self.door.wait_for(
            what, lambda said: said["event_type"] == event and said["resource"]["out_refund_no"] == number
        )
