-- The least that a payment needs to be kept: an order that is found by two numbers, the entries that it makes in the ledger, and
-- the event that is owed for it. Made and dropped by bench/yardstick.sh.
CREATE SEQUENCE bench_number;
CREATE TABLE bench_order (
    pay_no         varchar(32) PRIMARY KEY DEFAULT 'P20260801120000000' || lpad(nextval('bench_number')::text, 12, '0'),
    mch_id         varchar(32) NOT NULL,
    out_request_no varchar(64) NOT NULL DEFAULT 'SZTX001-' || currval('bench_number'),
    uid            varchar(64) NOT NULL,
    amount_fen     bigint      NOT NULL,
    state          varchar(16) NOT NULL,
    channel_no     varchar(64),
    created_at     bigint      NOT NULL,
    ended_at       bigint,
    UNIQUE (mch_id, out_request_no)
);
CREATE TABLE bench_entry (
    entry_no   bigserial PRIMARY KEY,
    pay_no     varchar(32) NOT NULL,
    account    varchar(64) NOT NULL,
    amount_fen bigint      NOT NULL,
    at         bigint      NOT NULL
);
CREATE INDEX bench_entry_account ON bench_entry (account, entry_no);
CREATE TABLE bench_outbox (
    seq     bigserial PRIMARY KEY,
    uid     varchar(64) NOT NULL,
    kind    varchar(32) NOT NULL,
    payload text        NOT NULL,
    at      bigint      NOT NULL
);
CREATE INDEX bench_outbox_uid ON bench_outbox (uid, seq);
