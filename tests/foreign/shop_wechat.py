"""Two shops with the WeChat Pay v3 SDK wechatpayv3 at the simulated gateway: a direct merchant who verifies with
platform certificates, and a service provider's who verifies with the WeChat Pay public key.

    python shop_wechat.py http://127.0.0.1:8090
"""

import csv
import gzip
import hashlib
import json
import os
import sys
import tempfile

from cryptography import x509

from play import expect, expect_refusal, run, until
from sdk_wechat import Shop, new_key_text
from simulator import Simulator, seconds_until_bills_of

gateway = Simulator(sys.argv[1], "wechat")
certificates = tempfile.TemporaryDirectory(prefix="metropay-foreign-")
direct = Shop(gateway, partner=False)
provider = Shop(gateway, partner=True, v3_mode="public_key")


def certificates_are_fetched():
    """keys, certificates: the platform's are fetched, unsealed and checked; a wrong APIv3 key opens none"""
    direct.client = direct.client_with(cert_dir=certificates.name)
    authority = x509.load_pem_x509_certificate(direct.account["ca_pem"].encode())
    kept = [name for name in os.listdir(certificates.name) if name.endswith(".pem")]
    expect("some are kept", bool(kept), True)
    for name in kept:
        with open(os.path.join(certificates.name, name), "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
        expect("serial", f"{certificate.serial_number:X}.pem", name)
        certificate.verify_directly_issued_by(authority)
    wrong = "0" * 32
    expect_refusal("a wrong APIv3 key", lambda: direct.client_with(apiv3_key=wrong), "No wechatpay platform certificate")


def a_public_key_is_used():
    """keys, public key: the provider's SDK verifies with it; such an account is listed no certificates"""
    expect_refusal("certificates", provider.client_with, "No wechatpay platform certificate")
    account = provider.account
    provider.client = provider.client_with(
        public_key=account["public_key_pem"], public_key_id=account["public_key_id"]
    )


def strangers_are_turned_away():
    """keys: a request that a foreign key signed is turned away; an answer that does not fit is refused by the SDK"""
    for shop in (direct, provider):
        good, account = shop.client, shop.account
        shop.client = shop.client_with(
            private_key=new_key_text(), public_key=account["public_key_pem"], public_key_id=account["public_key_id"]
        )
        status, body = shop.query(out_trade_no="T000001")
        expect("foreign key", (status, body["code"]), (401, "SIGN_ERROR"))
        shop.client = good
        payment = shop.paid(1)
        number = payment["out_trade_no"]
        # The SDK looks at the signatures of successes alone, so there must be an order to ask about.
        gateway.fault("wrong_signature", "orderquery", number)
        expect_refusal("a wrong signature", lambda: shop.query(out_trade_no=number), "failed to verify the signature")
        expect("the next answer", shop.query(out_trade_no=number)[1]["trade_state"], "SUCCESS")


def a_code_pays_at_once():
    """pay by code: paid at once by both, told to whom it belongs; the code works once"""
    for shop in (direct, provider):
        code = gateway.show_code("rider")
        number = shop.number("T")
        status, body = shop.pay(1280, code, number)
        shop.books.append(("debit", number, number, 1280))
        expect("answer", (status, body["trade_state"], body["trade_type"]), (200, "SUCCESS", "MICROPAY"))
        amount = {"total": 1280, "payer_total": 1280, "currency": "CNY", "payer_currency": "CNY"}
        expect("amount", body["amount"], amount)
        account = shop.account
        if shop.partner:
            owner = [body[name] for name in ("sp_appid", "sp_mchid", "sub_mchid")]
            expect("owner", owner, [account["appid"], account["mch_id"], account["sub_mch_id"]])
        else:
            expect("owner", [body["appid"], body["mchid"]], [account["appid"], account["mch_id"]])
        expect("attachment", body["attach"], "store=S0001")
        shop.first = body
        status, body = shop.pay(100, code)
        expect("the code again", (status, body["code"]), (403, "AUTH_CODE_EXPIRE"))


def a_payment_waits_for_the_password():
    """waiting: 202 while the password is asked for, the user types it, a query finds it paid"""
    for shop in (direct, provider):
        code = gateway.show_code("rider", needs_password=True)
        status, body = shop.pay(600, code)
        number = body["out_trade_no"]
        expect("answer", (status, body["trade_state"]), (202, "USERPAYING"))
        expect("before", shop.query(out_trade_no=number)[1]["trade_state"], "USERPAYING")
        gateway.type_password(code)
        shop.books.append(("debit", number, number, 600))
        status, body = shop.query(out_trade_no=number)
        expect("after", (status, body["trade_state"], body["amount"]["total"]), (200, "SUCCESS", 600))


def an_order_is_found_by_both_numbers():
    """query: by the merchant's number and by WeChat's, the same order; an unknown one is not there"""
    for shop in (direct, provider):
        first = shop.first
        for number in ({"out_trade_no": first["out_trade_no"]}, {"transaction_id": first["transaction_id"]}):
            expect("order", shop.query(**number), (200, first))
        status, body = shop.query(out_trade_no=shop.number("T"))
        expect("an unknown one", (status, body["code"]), (404, "ORDER_NOT_EXIST"))


def a_part_is_refunded():
    """refund: a part is accepted once, however often it is asked; another amount under its number is refused"""
    for shop in (direct, provider):
        shop.refund_no = shop.number("R")
        status, filed = shop.refund(shop.first, shop.refund_no, 230)
        shop.books.append(("refund", shop.refund_no, shop.first["out_trade_no"], 230))
        expect("answer", (status, filed["status"], filed["amount"]["refund"]), (200, "PROCESSING", 230))
        status, again = shop.refund(shop.first, shop.refund_no, 230)
        expect("again", (status, again["refund_id"]), (200, filed["refund_id"]))
        status, other = shop.refund(shop.first, shop.refund_no, 231)
        expect("another amount", (status, other["code"]), (400, "INVALID_REQUEST"))


def a_refund_is_notified():
    """notification: the refund's, verified and opened by the SDK; altered and foreign ones refused"""
    for shop, other in ((direct, provider), (provider, direct)):
        headers, body, said = shop.notified("the refund's notification", shop.refund_no, "REFUND.SUCCESS")
        told = said["resource"]
        seen = [told[name] for name in ("out_trade_no", "transaction_id", "refund_status")]
        expect("what it says", seen, [shop.first["out_trade_no"], shop.first["transaction_id"], "SUCCESS"])
        amount = {"total": 1280, "refund": 230, "payer_total": 1280, "payer_refund": 230}
        expect("amounts", told["amount"], amount)
        altered = body.replace(b"REFUND.SUCCESS", b"REFUND.CLOSED ")
        expect("altered", (altered != body, shop.judge(headers, altered)), (True, None))
        late = {name: "1" if name.lower() == "wechatpay-timestamp" else value for name, value in headers.items()}
        expect("another time", shop.judge(late, body), None)
        expect("read by another merchant", other.judge(headers, body), None)


def a_forged_notification_is_refused():
    """notification: forged ones are refused however often they come, and the query tells the truth"""
    for shop in (direct, provider):
        payment, number = shop.paid(20), shop.number("R")
        refused = len(shop.door.refused)
        gateway.fault("notice_forged", "notify", number)
        shop.refund(payment, number, 20)
        shop.books.append(("refund", number, payment["out_trade_no"], 20))
        until("a forged notification", lambda: len(shop.door.refused) > refused)
        until("its record", lambda: gateway.notices(number))
        expect("taken", [try_ for try_ in gateway.notices(number) if try_["acknowledged"]], [])
        until("the refund", lambda: shop.query_refund(number)[1]["status"] == "SUCCESS")


def a_refund_is_found():
    """refund query: a done one with its amount, an unknown one is not there"""
    for shop in (direct, provider):
        status, body = shop.query_refund(shop.refund_no)
        seen = (status, body["status"], body["amount"]["refund"], body["out_trade_no"])
        expect("a done one", seen, (200, "SUCCESS", 230, shop.first["out_trade_no"]))
        status, body = shop.query_refund(shop.number("R"))
        expect("an unknown one", (status, body["code"]), (404, "RESOURCE_NOT_EXISTS"))


def more_than_was_paid_is_not_refunded():
    """refund: more than is left is refused, exactly what is left is not"""
    for shop in (direct, provider):
        status, body = shop.refund(shop.first, shop.number("R"), 1051)
        expect("too much", (status, body["code"]), (400, "INVALID_REQUEST"))
        number = shop.number("R")
        status, body = shop.refund(shop.first, number, 1050)
        shop.books.append(("refund", number, shop.first["out_trade_no"], 1050))
        expect("the rest", (status, body["amount"]["refund"]), (200, 1050))
        shop.notified("the rest's notification", number, "REFUND.SUCCESS")
        expect("the order then", shop.query(out_trade_no=shop.first["out_trade_no"])[1]["trade_state"], "REFUND")


def a_refund_finds_no_card():
    """refund: one that cannot arrive is paid out by hand, with a card number sealed by the SDK"""
    for shop in (direct, provider):
        payment, number = shop.paid(300), shop.number("R")
        gateway.fault("fail_later", "refunds", number, ms=50, code="CHANGE")
        _, filed = shop.refund(payment, number, 300)
        shop.notified("its notification", number, "REFUND.ABNORMAL")
        status, body = shop.client.abnormal_refund(
            refund_id=filed["refund_id"],
            out_refund_no=number,
            type="USER_BANK_CARD",
            bank_type="ICBC_DEBIT",
            bank_account="6222020200112233445",
            real_name="张三",
            **shop.sub(),
        )
        expect("by hand", (status, json.loads(body).get("status")), (200, "PROCESSING"))
        shop.books.append(("refund", number, payment["out_trade_no"], 300))
        _, _, said = shop.notified("its end", number, "REFUND.SUCCESS")
        expect("the card", said["resource"]["user_received_account"], "ICBC_DEBIT3445")


def payments_are_reversed():
    """reverse: a paid one is given back; a waiting one not before its time, then it is closed for good"""
    for shop in (direct, provider):
        paid = shop.paid(300)
        status, body = shop.reverse(paid["out_trade_no"])
        shop.books.append(("reversal", paid["out_trade_no"], paid["out_trade_no"], 300))
        expect("a paid one", (status, body["out_trade_no"]), (200, paid["out_trade_no"]))
        code = gateway.show_code("rider", needs_password=True)
        waiting = shop.pay(400, code)[1]
        status, body = shop.reverse(waiting["out_trade_no"])
        expect("too early", (status, body["code"]), (202, "USERPAYING"))
        with gateway.later(20):
            status, body = shop.reverse(waiting["out_trade_no"])
        expect("a waiting one", (status, body.get("code")), (200, None))
        expect("its password then", gateway.phone("password", code=code, agree="1")[0], 409)
        for order in (paid, waiting):
            state = shop.query(out_trade_no=order["out_trade_no"])[1]["trade_state"]
            expect("the order then", state, "REVOKED")


def bill_text(shop, ask):
    """A bill through the SDK's two calls, if its hash is right."""
    status, body = ask()
    expect("address", status, 200)
    told = json.loads(body)
    status, file = shop.client.download_bill(told["download_url"])
    text = gzip.decompress(file)
    expect("hash", (status, told["hash_type"], hashlib.sha1(text).hexdigest()), (200, "SHA1", told["hash_value"]))
    return text.decode("utf-8-sig")


def bill_rows(text):
    """The data rows by column: a backtick stands before each of their cells."""
    lines = text.splitlines()
    header = next(csv.reader(lines[:1]))
    data = [line for line in lines[1:] if line.startswith("`")]
    rows = [dict(zip(header, line[1:].split(",`"))) for line in data]
    return rows[:-1]


def the_bill_has_every_row():
    """bill: trades and fund flow downloaded by the SDK, hashes right, every movement of the books in them"""
    for shop in (direct, provider):
        rows, flow = [], 0
        for day in gateway.business_days(shop.account["mch_id"]):
            with gateway.later(seconds_until_bills_of(day)):
                rows += bill_rows(bill_text(shop, lambda: shop.client.trade_bill(str(day), **shop.sub())))
                flow += len(bill_rows(bill_text(shop, lambda: shop.client.fundflow_bill(str(day)))))
        columns = ("商户订单号", "交易状态", "订单金额", "申请退款金额")
        found = sorted(tuple(row[column] for column in columns) for row in rows)
        words = {"debit": "SUCCESS", "refund": "REFUND", "reversal": "REVOKED"}
        yuan = [f"{fen // 100}.{fen % 100:02}" for *_, fen in shop.books]
        wanted = sorted(
            (payment, words[kind], amount if kind == "debit" else "0.00", "0.00" if kind == "debit" else amount)
            for (kind, _, payment, _), amount in zip(shop.books, yuan)
        )
        expect("rows", found, wanted)
        expect("fund flow has rows", flow > 0, True)


def the_books_agree():
    """books: the gateway's own books have exactly the movements that the SDK was told of"""
    for shop in (direct, provider):
        expect("movements", sorted(gateway.books(shop.account["mch_id"])), sorted(shop.books))


run(
    "wechat",
    [
        certificates_are_fetched,
        a_public_key_is_used,
        strangers_are_turned_away,
        a_code_pays_at_once,
        a_payment_waits_for_the_password,
        an_order_is_found_by_both_numbers,
        a_part_is_refunded,
        a_refund_is_notified,
        a_forged_notification_is_refused,
        a_refund_is_found,
        more_than_was_paid_is_not_refunded,
        a_refund_finds_no_card,
        payments_are_reversed,
        the_bill_has_every_row,
        the_books_agree,
    ],
)
