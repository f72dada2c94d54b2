//! Webhooks: what merchants are owed to be told, where they want it told, and what became of each telling.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, integer_null, pk_auto, string_len, string_len_null, text,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature hides the lifetime, and async_trait wants the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for create in [outbox(), endpoint(), delivery(), delivery_attempt()] {
            manager.create_table(create).await?;
        }
        for create in [
            // What is spread leaves the index.
            "CREATE INDEX outbox_unspread ON outbox (seq) WHERE spread_at IS NULL",
            "CREATE INDEX outbox_created ON outbox (created_at)",
            "CREATE INDEX endpoint_merchant ON endpoint (mch_id)",
            "CREATE INDEX endpoint_due ON endpoint (next_at)",
            "CREATE UNIQUE INDEX delivery_once ON delivery (endpoint_id, seq)",
            "CREATE INDEX delivery_waiting ON delivery (endpoint_id, seq) WHERE state = 'WAITING'",
            "CREATE INDEX delivery_created ON delivery (created_at)",
            "CREATE INDEX delivery_attempt_of ON delivery_attempt (delivery_id)",
            "CREATE INDEX delivery_attempt_at ON delivery_attempt (at)",
        ] {
            manager.get_connection().execute_unprepared(create).await?;
        }
        Ok(())
    }
}

fn outbox() -> TableCreateStatement {
    Table::create()
        .table("outbox")
        .col(pk_auto("seq").big_integer())
        .col(string_len("event_id", 64).unique_key())
        .col(string_len("mch_id", 32))
        .col(string_len("kind", 32))
        .col(string_len_null("uid", 64))
        .col(text("payload"))
        .col(big_integer("created_at"))
        .col(big_integer_null("spread_at"))
        .take()
}

fn endpoint() -> TableCreateStatement {
    Table::create()
        .table("endpoint")
        .col(string_len("endpoint_id", 32).primary_key())
        .col(string_len("mch_id", 32))
        .col(string_len("url", 1024))
        .col(string_len("description", 128))
        .col(text("kinds"))
        .col(string_len("state", 16))
        .col(text("keys_sealed"))
        .col(integer("failures"))
        .col(big_integer_null("next_at"))
        .col(big_integer_null("busy_until"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .take()
}

fn delivery() -> TableCreateStatement {
    Table::create()
        .table("delivery")
        .col(pk_auto("delivery_id").big_integer())
        .col(string_len("endpoint_id", 32))
        .col(string_len("mch_id", 32))
        .col(big_integer("seq"))
        .col(string_len("event_id", 64))
        .col(string_len("kind", 32))
        .col(string_len("state", 16))
        .col(integer("attempts"))
        .col(big_integer_null("first_at"))
        .col(big_integer("next_at"))
        .col(integer_null("last_status"))
        .col(string_len_null("last_trouble", 32))
        .col(big_integer("created_at"))
        .col(big_integer_null("ended_at"))
        .take()
}

fn delivery_attempt() -> TableCreateStatement {
    Table::create()
        .table("delivery_attempt")
        .col(pk_auto("attempt_id").big_integer())
        .col(big_integer("delivery_id"))
        .col(big_integer("at"))
        .col(big_integer("took_ms"))
        .col(integer_null("status"))
        .col(string_len_null("trouble", 32))
        .take()
}
