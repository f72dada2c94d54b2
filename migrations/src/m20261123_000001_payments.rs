//! The first schema: merchants, users, codes, contracts and mandates, payments with their refunds and reversals, the
//! ledger, events, and what the flows need beside them. Moments are Unix milliseconds, days are `YYYYMMDD`, amounts fen.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, pk_auto, string_len, string_len_null, text, text_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Starts a table.
fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(name).to_owned()
}

fn primary(columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    for column in columns {
        index.col(*column);
    }
    index.primary();
    index
}

fn index(table: &'static str, name: &'static str, columns: &[&'static str], unique: bool) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    if unique {
        index.unique();
    }
    index
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature hides the lifetime, and async_trait wants the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for create in merchants()
            .into_iter()
            .chain(users())
            .chain(payments())
            .chain(books())
            .chain(machinery())
        {
            manager.create_table(create).await?;
        }
        for create in indexes() {
            manager.create_index(create).await?;
        }
        Ok(())
    }
}

fn merchants() -> Vec<TableCreateStatement> {
    vec![
        table("merchant")
            .col(string_len("mch_id", 32).primary_key())
            .col(string_len("name", 128))
            .col(string_len("status", 16))
            .col(integer("fee_rate"))
            .col(text_null("ip_allow"))
            .col(big_integer("created_at"))
            .take(),
        table("store")
            .col(string_len("mch_id", 32))
            .col(string_len("store_id", 64))
            .col(string_len("name", 128))
            .col(string_len("status", 16))
            .primary_key(&mut primary(&["mch_id", "store_id"]))
            .take(),
        table("credential")
            .col(string_len("serial", 64).primary_key())
            .col(string_len("mch_id", 32))
            .col(string_len("algorithm", 16))
            .col(text("material"))
            .col(string_len("status", 16))
            .col(big_integer("valid_from"))
            .col(big_integer_null("valid_until"))
            .col(big_integer("created_at"))
            .take(),
        table("platform_key")
            .col(string_len("serial", 64).primary_key())
            .col(string_len("algorithm", 16))
            .col(text("private_sealed"))
            .col(text("public_pem"))
            .col(big_integer("created_at"))
            .take(),
        table("channel_account")
            .col(string_len("account_id", 64).primary_key())
            .col(string_len("mch_id", 32))
            .col(string_len("channel", 32))
            .col(string_len("status", 16))
            .col(integer("version"))
            .col(text("config_sealed"))
            .col(big_integer("updated_at"))
            .take(),
    ]
}

fn users() -> Vec<TableCreateStatement> {
    vec![
        table("app_user")
            .col(string_len("uid", 64).primary_key())
            .col(string_len("status", 16))
            .col(text_null("phone_sealed"))
            .col(string_len_null("phone_index", 64))
            .col(big_integer("opened_at"))
            .col(big_integer_null("closed_at"))
            .take(),
        table("revocation")
            .col(string_len("subject", 128).primary_key())
            .col(string_len("uid", 64))
            .col(big_integer("revoked_at"))
            .take(),
        table("code")
            .col(string_len("code_id", 32).primary_key())
            .col(string_len("uid", 64))
            .col(string_len("code_hash", 64))
            .col(string_len_null("method", 32))
            .col(big_integer("issued_at"))
            .col(big_integer("expires_at"))
            .col(big_integer_null("ended_at"))
            .take(),
        table("contract")
            .col(string_len("contract_no", 32).primary_key())
            .col(string_len("uid", 64))
            .col(string_len("channel", 32))
            .col(string_len("account_id", 64))
            .col(string_len("scope", 128))
            .col(string_len("state", 16))
            .col(text_null("handle_sealed"))
            .col(string_len_null("handle_index", 64))
            .col(text_null("payer_sealed"))
            .col(string_len_null("display", 64))
            .col(big_integer("created_at"))
            .col(big_integer_null("signed_at"))
            .col(big_integer_null("expires_at"))
            .col(big_integer_null("ended_at"))
            .col(string_len_null("ended_by", 16))
            .col(big_integer_null("next_look_at"))
            .col(integer("looks"))
            .take(),
        table("mandate")
            .col(string_len("mandate_id", 32).primary_key())
            .col(string_len("uid", 64))
            .col(string_len("mch_id", 32))
            .col(string_len("channel", 32))
            .col(string_len("account_id", 64))
            .col(string_len("contract_no", 32))
            .col(string_len("state", 16))
            // Equal to the uid while the mandate is pending, active or suspended; NULL afterwards. Makes "one living
            // mandate per user, merchant and channel" a unique index on every database.
            .col(string_len_null("living", 64))
            .col(big_integer("created_at"))
            .col(big_integer_null("activated_at"))
            .col(big_integer_null("ended_at"))
            .col(string_len_null("ended_by", 16))
            .take(),
        table("preference")
            .col(string_len("uid", 64))
            .col(string_len("mch_id", 32))
            .col(string_len("channel", 32))
            .primary_key(&mut primary(&["uid", "mch_id"]))
            .take(),
        table("spend")
            .col(string_len("uid", 64))
            .col(integer("day"))
            .col(big_integer("amount"))
            .primary_key(&mut primary(&["uid", "day"]))
            .take(),
    ]
}

#[expect(clippy::too_many_lines, reason = "a schema is one natural whole")]
fn payments() -> Vec<TableCreateStatement> {
    vec![
        table("request_no")
            .col(string_len("mch_id", 32))
            .col(string_len("out_request_no", 64))
            // NULL is a tombstone: a reversal came before any payment.
            .col(string_len_null("pay_no", 32))
            .col(big_integer("created_at"))
            .primary_key(&mut primary(&["mch_id", "out_request_no"]))
            .take(),
        table("payment")
            .col(string_len("pay_no", 32).primary_key())
            .col(string_len("mch_id", 32))
            .col(string_len("out_request_no", 64))
            .col(string_len("store_id", 64))
            .col(string_len("product", 16))
            // NULL where the channel's own payment code was scanned: no user, code and consent of ours stand behind it.
            .col(string_len_null("uid", 64))
            .col(string_len_null("code_id", 32))
            .col(string_len("code_hash", 64))
            .col(string_len("channel", 32))
            .col(string_len("account_id", 64))
            .col(string_len_null("mandate_id", 32))
            .col(string_len_null("contract_no", 32))
            .col(text("body"))
            .col(text_null("extra_data"))
            .col(big_integer("amount"))
            .col(big_integer("coupon"))
            .col(big_integer("fee"))
            .col(string_len("state", 16))
            .col(string_len_null("reason", 64))
            .col(text_null("reason_text"))
            .col(string_len_null("hint", 16))
            .col(string_len_null("channel_no", 64))
            .col(text("pins"))
            .col(integer("day"))
            .col(big_integer("created_at"))
            .col(big_integer_null("paid_at"))
            .col(big_integer_null("ended_at"))
            .col(integer("sends"))
            .col(big_integer("send_until"))
            .col(big_integer_null("next_look_at"))
            .col(integer("looks"))
            .col(big_integer_null("absent_since"))
            .col(big_integer("refund_reserved"))
            .col(big_integer("refunded"))
            .col(string_len("reversal", 16))
            .take(),
        table("refund")
            .col(string_len("refund_no", 32).primary_key())
            .col(string_len("mch_id", 32))
            .col(string_len("out_refund_no", 80))
            .col(string_len("pay_no", 32))
            .col(string_len("kind", 16))
            .col(big_integer("amount"))
            .col(big_integer("coupon"))
            .col(big_integer("fee_back"))
            .col(string_len("state", 16))
            .col(string_len_null("reason", 64))
            .col(text_null("reason_text"))
            .col(string_len_null("channel_no", 64))
            .col(big_integer("created_at"))
            .col(big_integer_null("ended_at"))
            .col(big_integer_null("next_look_at"))
            .col(integer("looks"))
            .take(),
        table("reversal")
            .col(string_len("reversal_no", 32).primary_key())
            .col(string_len("pay_no", 32).unique_key())
            .col(string_len("mch_id", 32))
            .col(string_len("origin", 16))
            .col(string_len("state", 16))
            .col(string_len_null("result", 16))
            .col(big_integer("amount"))
            .col(string_len_null("reason", 64))
            .col(text_null("reason_text"))
            .col(string_len_null("channel_no", 64))
            .col(big_integer("created_at"))
            .col(big_integer_null("ended_at"))
            .col(big_integer_null("next_look_at"))
            .col(integer("looks"))
            .take(),
    ]
}

fn books() -> Vec<TableCreateStatement> {
    vec![
        table("journal")
            .col(string_len("journal_id", 64).primary_key())
            .col(string_len("kind", 16))
            .col(string_len("mch_id", 32))
            .col(string_len("pay_no", 32))
            .col(integer("day"))
            .col(big_integer("posted_at"))
            .take(),
        table("entry")
            .col(pk_auto("entry_id").big_integer())
            .col(string_len("journal_id", 64))
            .col(string_len("account", 96))
            .col(big_integer("amount"))
            .col(integer("day"))
            .take(),
        table("block")
            .col(big_integer("block_no").primary_key())
            .col(big_integer("first_entry"))
            .col(big_integer("last_entry"))
            .col(string_len("previous_hash", 64))
            .col(string_len("hash", 64))
            .col(big_integer("sealed_at"))
            .take(),
        table("balance")
            .col(string_len("account", 96).primary_key())
            .col(big_integer("amount"))
            .col(big_integer("through_entry"))
            .take(),
    ]
}

fn machinery() -> Vec<TableCreateStatement> {
    vec![
        table("event")
            .col(pk_auto("seq").big_integer())
            .col(string_len("uid", 64))
            .col(string_len("kind", 32))
            .col(string_len_null("code_id", 32))
            .col(text("payload"))
            .col(big_integer("created_at"))
            .take(),
        table("notice")
            .col(string_len("notice_id", 64).primary_key())
            .col(string_len("channel", 32))
            .col(string_len("account_id", 64))
            .col(string_len("state", 16))
            .col(text("raw_sealed"))
            .col(integer("arrivals"))
            .col(integer("tries"))
            .col(string_len_null("reason", 256))
            .col(big_integer("received_at"))
            .col(big_integer_null("next_try_at"))
            .take(),
        table("nonce")
            .col(string_len("scope", 96))
            .col(string_len("nonce", 96))
            .col(big_integer("expires_at"))
            .primary_key(&mut primary(&["scope", "nonce"]))
            .take(),
        table("alarm")
            .col(pk_auto("alarm_id").big_integer())
            .col(string_len("kind", 48))
            .col(string_len("subject", 96))
            .col(text("text"))
            .col(big_integer("raised_at"))
            .take(),
        table("data_key")
            .col(string_len("key_id", 64).primary_key())
            .col(string_len("purpose", 32))
            .col(integer("version"))
            .col(text("wrapped"))
            .col(big_integer("created_at"))
            .take(),
        table("job")
            .col(string_len("name", 64).primary_key())
            .col(string_len("holder", 64))
            .col(big_integer("fence"))
            .col(big_integer("until"))
            .take(),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("credential", "credential_mch", &["mch_id"], false),
        index("channel_account", "channel_account_mch", &["mch_id", "channel"], false),
        index("code", "code_hash", &["code_hash"], false),
        index("code", "code_uid", &["uid", "expires_at"], false),
        index("contract", "contract_user", &["uid", "channel", "scope"], false),
        index("contract", "contract_handle", &["handle_index"], false),
        index("contract", "contract_due", &["next_look_at"], false),
        index("mandate", "mandate_living", &["living", "mch_id", "channel"], true),
        index("mandate", "mandate_user", &["uid", "created_at"], false),
        index("mandate", "mandate_contract", &["contract_no"], false),
        index("payment", "payment_request", &["mch_id", "out_request_no"], true),
        index("payment", "payment_code", &["code_id"], true),
        index("payment", "payment_user", &["uid", "created_at"], false),
        index("payment", "payment_day", &["mch_id", "ended_at"], false),
        index("payment", "payment_due", &["next_look_at"], false),
        index("refund", "refund_request", &["mch_id", "out_refund_no"], true),
        index("refund", "refund_payment", &["pay_no"], false),
        index("refund", "refund_due", &["next_look_at"], false),
        index("refund", "refund_day", &["mch_id", "ended_at"], false),
        index("reversal", "reversal_due", &["next_look_at"], false),
        index("reversal", "reversal_day", &["mch_id", "ended_at"], false),
        index("entry", "entry_account", &["account", "entry_id"], false),
        index("entry", "entry_journal", &["journal_id"], false),
        index("event", "event_user", &["uid", "seq"], false),
        index("notice", "notice_due", &["next_try_at"], false),
        index("nonce", "nonce_expiry", &["expires_at"], false),
        index("journal", "journal_payment", &["pay_no"], false),
    ]
}
