"""A shop with Alipay's official Python SDK (alipay-sdk-python) at the simulated gateway.

    python shop_alipay.py http://127.0.0.1:8090
"""

import csv
import io
import sys
import zipfile

from play import expect, expect_refusal, run, until
from sdk_alipay import Shop, bare, new_key, private_text, public_pem
from simulator import fetch, seconds_until_bills_of

shop = Shop(sys.argv[1])


def keys_are_exchanged():
    """keys: the app's public key handed in, Alipay's taken over; a stranger's request is turned away"""
    stranger = shop.client_with(app_private_key=private_text(new_key()))
    answer = shop.call("alipay.trade.query", client=stranger, out_trade_no="T1")
    expect("answer to a foreign key", (answer.code, answer.sub_code), ("40002", "isv.invalid-signature"))
    answer = shop.call("alipay.trade.query", out_trade_no="T1")
    expect("answer to the app's key", (answer.code, answer.sub_code), ("40004", "ACQ.TRADE_NOT_EXIST"))


def foreign_answers_are_refused():
    """keys: the SDK refuses an answer that another key signed, and one whose signature does not fit"""
    misled = shop.client_with(alipay_public_key=bare(public_pem(new_key())))
    expect_refusal(
        "another key", lambda: shop.call("alipay.trade.query", client=misled, out_trade_no="T1"), "verify failed"
    )
    number = shop.number("T")
    shop.gateway.fault("wrong_signature", "alipay.trade.query", number)
    expect_refusal(
        "a wrong signature", lambda: shop.call("alipay.trade.query", out_trade_no=number), "verify failed"
    )
    answer = shop.call("alipay.trade.query", out_trade_no=number)
    expect("the next answer", answer.sub_code, "ACQ.TRADE_NOT_EXIST")


def a_code_pays_at_once():
    """pay by bar code: paid at once, every part of the answer parsed by the SDK; the code works once"""
    code = shop.gateway.show_code("rider")
    shop.first = shop.pay("12.80", code, notify_url=shop.door.url)
    shop.books.append(("debit", shop.first.out_trade_no, shop.first.out_trade_no, 1280))
    expect("code", (shop.first.code, shop.first.msg), ("10000", "Success"))
    expect("amounts", (shop.first.total_amount, shop.first.receipt_amount), ("12.80", "12.80"))
    parts = [(part.fund_channel, part.amount) for part in shop.first.fund_bill_list]
    expect("who paid", parts, [("ALIPAYACCOUNT", "12.80")])
    again = shop.pay("1.00", code)
    expect("the code again", (again.code, again.sub_code), ("40004", "ACQ.PAYMENT_AUTH_CODE_INVALID"))


def a_payment_is_notified():
    """notification: the payment's, verified by the SDK; altered or forged ones refused"""
    number = shop.first.out_trade_no
    _, body, said = shop.door.wait_for("the payment's notification", lambda said: said["out_trade_no"] == number)
    told = [said[name] for name in ("app_id", "trade_status", "total_amount", "trade_no", "seller_id")]
    account = shop.account
    wanted = [account["app_id"], "TRADE_SUCCESS", "12.80", shop.first.trade_no, account["seller_id"]]
    expect("what it says", told, wanted)
    expect("an altered one", shop.judge({}, body.replace(b"=12.80", b"=92.80")), None)
    number = shop.number("T")
    shop.gateway.fault("notice_forged", "notify", number)
    shop.paid("0.01", 1, number=number, notify_url=shop.door.url)
    until("a forged notification", lambda: shop.door.refused)
    until("its record", lambda: shop.gateway.notices(number))
    expect("taken", [try_["acknowledged"] for try_ in shop.gateway.notices(number) if try_["acknowledged"]], [])


def a_payment_waits_for_the_password():
    """waiting: the password is asked for, the trade waits, the user types it, a query finds it paid"""
    code = shop.gateway.show_code("rider", needs_password=True)
    waiting = shop.pay("6.00", code)
    expect("answer", (waiting.code, waiting.msg), ("10003", "order success pay inprocess"))
    number = waiting.out_trade_no
    query = shop.call("alipay.trade.query", out_trade_no=number)
    expect("before", (query.code, query.trade_status), ("10000", "WAIT_BUYER_PAY"))
    shop.gateway.type_password(code)
    shop.books.append(("debit", number, number, 600))
    query = shop.call("alipay.trade.query", out_trade_no=number)
    expect("after", (query.trade_status, query.total_amount), ("TRADE_SUCCESS", "6.00"))


def a_trade_is_found_by_both_numbers():
    """query: by the merchant's number and by Alipay's, the same trade"""
    first = shop.first
    for name, value in (("out_trade_no", first.out_trade_no), ("trade_no", first.trade_no)):
        found = shop.call("alipay.trade.query", **{name: value})
        seen = (found.out_trade_no, found.trade_no, found.trade_status, found.total_amount, found.buyer_user_id)
        wanted = (first.out_trade_no, first.trade_no, "TRADE_SUCCESS", "12.80", first.buyer_user_id)
        expect(name, seen, wanted)
        expect("paid at", found.send_pay_date, first.gmt_payment)


def a_part_is_refunded():
    """refund: a part goes back once, however often it is asked; another amount under its number is refused"""
    shop.refund_no = shop.number("R")
    done = shop.refund(shop.first, shop.refund_no, "2.30")
    shop.books.append(("refund", shop.refund_no, shop.first.out_trade_no, 230))
    expect("refund", (done.code, done.fund_change, done.refund_fee), ("10000", "Y", "2.30"))
    again = shop.refund(shop.first, shop.refund_no, "2.30")
    expect("again", (again.code, again.fund_change, again.refund_fee), ("10000", "N", "2.30"))
    other = shop.refund(shop.first, shop.refund_no, "2.31")
    expect("another amount", (other.code, other.sub_code), ("40004", "ACQ.DISCORDANT_REPEAT_REQUEST"))
    query = shop.call("alipay.trade.query", out_trade_no=shop.first.out_trade_no)
    expect("the trade after a part", query.trade_status, "TRADE_SUCCESS")


def a_refund_is_notified():
    """notification: the refund's, at the payment's address, verified by the SDK"""
    _, _, said = shop.door.wait_for("the refund's notification", lambda said: "out_biz_no" in said)
    told = [said[name] for name in ("out_trade_no", "out_biz_no", "refund_fee", "trade_status")]
    expect("what it says", told, [shop.first.out_trade_no, shop.refund_no, "2.30", "TRADE_SUCCESS"])


def a_refund_is_found():
    """refund query: a done one with its amount, an unknown one without any"""
    method, trade = "alipay.trade.fastpay.refund.query", shop.first.out_trade_no
    found = shop.call(method, out_trade_no=trade, out_request_no=shop.refund_no, query_options=["gmt_refund_pay"])
    seen = (found.code, found.refund_status, found.refund_amount, found.total_amount, found.out_request_no)
    expect("a done one", seen, ("10000", "REFUND_SUCCESS", "2.30", "12.80", shop.refund_no))
    unknown = shop.call(method, out_trade_no=trade, out_request_no="RNOSUCH")
    expect("unknown", (unknown.code, unknown.refund_status, unknown.refund_amount), ("10000", None, None))


def more_than_was_paid_is_not_refunded():
    """refund: more than is left is refused, and exactly what is left closes the trade"""
    more = shop.refund(shop.first, shop.number("R"), "10.51")
    expect("too much", (more.code, more.sub_code), ("40004", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"))
    rest_no = shop.number("R")
    rest = shop.refund(shop.first, rest_no, "10.50")
    shop.books.append(("refund", rest_no, shop.first.out_trade_no, 1050))
    expect("the rest", (rest.code, rest.fund_change, rest.refund_fee), ("10000", "Y", "12.80"))
    query = shop.call("alipay.trade.query", out_trade_no=shop.first.out_trade_no)
    expect("the trade then", query.trade_status, "TRADE_CLOSED")


def payments_are_cancelled():
    """cancel: a paid one is given back, a waiting one is closed, an unknown one is nothing to do"""
    paid = shop.paid("3.00", 300)
    undone = shop.call("alipay.trade.cancel", out_trade_no=paid.out_trade_no)
    shop.books.append(("reversal", paid.out_trade_no, paid.out_trade_no, 300))
    expect("a paid one", (undone.code, undone.action, undone.retry_flag), ("10000", "refund", "N"))
    code = shop.gateway.show_code("rider", needs_password=True)
    waiting = shop.pay("4.00", code)
    undone = shop.call("alipay.trade.cancel", out_trade_no=waiting.out_trade_no)
    expect("a waiting one", (undone.code, undone.action, undone.retry_flag), ("10000", "close", "N"))
    expect("its password then", shop.gateway.phone("password", code=code, agree="1")[0], 409)
    undone = shop.call("alipay.trade.cancel", out_trade_no=shop.number("T"))
    expect("an unknown one", (undone.code, undone.action, undone.retry_flag), ("10000", None, "N"))
    for trade in (paid, waiting):
        query = shop.call("alipay.trade.query", out_trade_no=trade.out_trade_no)
        expect("the trade then", query.trade_status, "TRADE_CLOSED")


def gbk_is_spoken():
    """charset: a payment whose request and answer are in GBK, signed over those bytes"""
    answer = shop.paid("0.50", 50, client=shop.client_with(charset="gbk"), subject="报纸")
    query = shop.call("alipay.trade.query", client=shop.client_with(charset="gbk"), trade_no=answer.trade_no)
    expect("query", (query.trade_status, query.total_amount), ("TRADE_SUCCESS", "0.50"))


def an_agreement_is_signed_and_used():
    """agreement: the SDK's signing address, the user's yes, its notification, a deduction, its end"""
    number = shop.number("A")
    terms = {name: shop.account[name] for name in ("personal_product_code", "product_code", "sign_scene")}
    request = shop.request(
        "alipay.user.agreement.page.sign",
        shop.door.url,
        access_params={"channel": "QRCODE"},
        external_agreement_no=number,
        **terms,
    )
    _, page = fetch(shop.client.page_execute(request, "GET"))
    page_id = page.decode().split('name="id" value="', 1)[1].split('"', 1)[0]
    expect("the user's yes", shop.gateway.phone("sign", id=page_id, agree="1", user="rider")[0], 200)
    _, _, said = shop.door.wait_for("the signing's notification", lambda said: said.get("agreement_no"))
    told = [said[name] for name in ("notify_type", "external_agreement_no", "status")]
    expect("what it says", told, ["dut_user_sign", number, "NORMAL"])
    method = "alipay.user.agreement.query"
    found = shop.call(method, agreement_no=said["agreement_no"])
    expect("query", (found.code, found.status, found.external_agreement_no), ("10000", "NORMAL", number))
    fare = shop.call(
        "alipay.trade.pay",
        out_trade_no=shop.number("T"),
        total_amount="4.50",
        subject="消费码扣款",
        product_code=terms["product_code"],
        agreement_params={"agreement_no": said["agreement_no"]},
    )
    shop.books.append(("debit", fare.out_trade_no, fare.out_trade_no, 450))
    expect("deduction", (fare.code, fare.total_amount), ("10000", "4.50"))
    ended = shop.call("alipay.user.agreement.unsign", agreement_no=said["agreement_no"])
    expect("end", (ended.code, ended.sub_code), ("10000", None))
    gone = shop.call(method, agreement_no=said["agreement_no"])
    expect("query then", gone.sub_code in ("AGREEMENT_HAS_UNSIGNED", "USER_AGREEMENT_NOT_EXIST"), True)


def bill_rows(day):
    """The rows of a day's bill by column, through the address that the SDK is told."""
    # The SDK takes the time from the operating system, so the window is widened instead.
    shop.gateway.account(app_id=shop.account["app_id"], timestamp_window_s=4 * 86400)
    with shop.gateway.later(seconds_until_bills_of(day)):
        answer = shop.call("alipay.data.dataservice.bill.downloadurl.query", bill_type="trade", bill_date=str(day))
        expect("address", answer.code, "10000")
        _, archive = fetch(answer.bill_download_url)
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        names = {name.encode("cp437").decode("gbk"): name for name in entries.namelist()}
        detail = next(raw for name, raw in names.items() if name.endswith("业务明细.csv"))
        lines = entries.read(detail).decode("gb18030").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [{name: (value or "").strip() for name, value in row.items() if name} for row in rows]


def the_bill_has_every_row():
    """bill: its address through the SDK, the archive downloaded, every movement of the books in it"""
    days = shop.gateway.business_days(shop.account["app_id"])
    kinds = {"交易": "debit", "退款": "refund"}
    found = sorted(
        (kinds[row["业务类型"]], row["商户订单号"], row["订单金额（元）"].lstrip("-"))
        for day in days
        for row in bill_rows(day)
    )
    # A cancelled payment stands there as a refund.
    wanted = sorted(
        ("debit" if kind == "debit" else "refund", payment, f"{fen // 100}.{fen % 100:02}")
        for kind, _, payment, fen in shop.books
    )
    expect("rows", found, wanted)


def the_books_agree():
    """books: the gateway's own books have exactly the movements that the SDK was told of"""
    expect("movements", shop.gateway.books(shop.account["app_id"]), shop.books)


run(
    "alipay",
    [
        keys_are_exchanged,
        foreign_answers_are_refused,
        a_code_pays_at_once,
        a_payment_is_notified,
        a_payment_waits_for_the_password,
        a_trade_is_found_by_both_numbers,
        a_part_is_refunded,
        a_refund_is_notified,
        a_refund_is_found,
        more_than_was_paid_is_not_refunded,
        payments_are_cancelled,
        gbk_is_spoken,
        an_agreement_is_signed_and_used,
        the_bill_has_every_row,
        the_books_agree,
    ],
)
