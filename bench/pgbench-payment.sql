-- The least SQL of one payment: written down, committed; its end, entries and event, committed. Run by bench/yardstick.sh.
\set uid random(1, 1000000)
\set fen random(500, 599)
INSERT INTO bench_order (mch_id, uid, amount_fen, state, created_at)
    VALUES ('B00001', 'BU' || :uid, :fen, 'PAYING', 1785556800000) RETURNING pay_no \gset
BEGIN;
UPDATE bench_order SET state = 'SUCCESS', channel_no = 'I' || pay_no, ended_at = 1785556800010
    WHERE pay_no = :pay_no AND state = 'PAYING';
INSERT INTO bench_entry (pay_no, account, amount_fen, at) VALUES
    (:pay_no, 'clearing-B00001', :fen, 1785556800010), (:pay_no, 'payable-B00001', - CAST(:fen AS bigint), 1785556800010),
    (:pay_no, 'payable-B00001', 3, 1785556800010), (:pay_no, 'fee', -3, 1785556800010);
INSERT INTO bench_outbox (uid, kind, payload, at)
    VALUES ('BU' || :uid, 'payment.succeeded', '{"total_fee":' || :fen || '}', 1785556800010);
COMMIT;
