-- Payments in one table a month, on PostgreSQL 15 and later; when and why: docs/operations.md. Run once, by the tables' owner, while
-- no node runs:
--
--   psql -v ON_ERROR_STOP=1 "$DATABASE_URL" -f deploy/partition-by-month.sql
--
-- A payment's number begins with the China time at which it was made (P20261127093015123…), so the number itself is the
-- partition key: the primary key stays what it is, and whoever has a number looks into one month only.

BEGIN;
LOCK TABLE payment IN ACCESS EXCLUSIVE MODE;

-- What must be unique over all months for ever cannot be an index of a table in months. For the merchant's numbers `request_no`
-- has done that from the beginning; codes get the like.
CREATE TABLE code_use (
    code_id varchar(32) PRIMARY KEY,
    pay_no varchar(32) NOT NULL
);
INSERT INTO code_use SELECT code_id, pay_no FROM payment WHERE code_id IS NOT NULL;

CREATE FUNCTION use_code() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A unique violation here is what the index said before: this code was debited.
    INSERT INTO code_use (code_id, pay_no) VALUES (NEW.code_id, NEW.pay_no);
    RETURN NULL;
END $$;

-- All that is there becomes the first part; nothing is copied.
ALTER TABLE payment RENAME TO payment_begin;
ALTER INDEX payment_pkey RENAME TO payment_begin_pkey;
ALTER INDEX payment_request RENAME TO payment_begin_request;
ALTER INDEX payment_code RENAME TO payment_begin_code;
ALTER INDEX payment_user RENAME TO payment_begin_user;
ALTER INDEX payment_day RENAME TO payment_begin_day;
ALTER INDEX payment_due RENAME TO payment_begin_due;

CREATE TABLE payment (LIKE payment_begin INCLUDING DEFAULTS) PARTITION BY RANGE (pay_no);
ALTER TABLE payment ADD PRIMARY KEY (pay_no);
CREATE INDEX payment_request ON payment (mch_id, out_request_no);
CREATE INDEX payment_code ON payment (code_id);
CREATE INDEX payment_user ON payment (uid, created_at);
CREATE INDEX payment_day ON payment (mch_id, ended_at);
CREATE INDEX payment_due ON payment (next_look_at);

-- The first number of a month, as it begins.
CREATE FUNCTION payment_month_begins(month date) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT 'P' || to_char(date_trunc('month', month), 'YYYYMM') $$;

-- Makes the part of a month where it is missing. To be run ahead, by a timer: a payment without a part is refused, and nothing is debited.
CREATE FUNCTION make_payment_month(month date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF payment FOR VALUES FROM (%L) TO (%L)',
        'payment_' || to_char(month, 'YYYYMM'),
        payment_month_begins(month),
        payment_month_begins((date_trunc('month', month) + interval '1 month')::date));
END $$;

-- The present month still goes to the first part; from the next one on each has its own, for a year ahead.
DO $$
DECLARE
    today date := (now() AT TIME ZONE 'Asia/Shanghai')::date;
    first date := (date_trunc('month', today) + interval '1 month')::date;
BEGIN
    EXECUTE format('ALTER TABLE payment ATTACH PARTITION payment_begin FOR VALUES FROM (MINVALUE) TO (%L)',
        payment_month_begins(first));
    FOR ahead IN 0..12 LOOP
        PERFORM make_payment_month((first + make_interval(months => ahead))::date);
    END LOOP;
END $$;

CREATE TRIGGER use_code AFTER INSERT ON payment
    FOR EACH ROW WHEN (NEW.code_id IS NOT NULL) EXECUTE FUNCTION use_code();

COMMIT;
