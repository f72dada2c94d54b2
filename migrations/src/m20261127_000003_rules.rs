//! Rules: scripts by content, their versions' life, who did what with them; and what they are asked of merchants, accounts and
//! codes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, pk_auto, string_len, string_len_null, text, text_null,
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
        for create in [rule_source(), rule(), rule_act()] {
            manager.create_table(create).await?;
        }
        for create in [
            // One version is in force at a place: those that are not leave the column empty.
            Index::create()
                .name("rule_place")
                .table("rule")
                .col("place")
                .unique()
                .take(),
            Index::create()
                .name("rule_scope")
                .table("rule")
                .col("kind")
                .col("level")
                .col("scope")
                .take(),
            Index::create()
                .name("rule_act_rule")
                .table("rule_act")
                .col("rule_no")
                .take(),
        ] {
            manager.create_index(create).await?;
        }
        for alter in additions() {
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}

fn rule_source() -> TableCreateStatement {
    Table::create()
        .table("rule_source")
        .col(string_len("version", 80).primary_key())
        .col(string_len("kind", 16))
        .col(text("source"))
        .col(big_integer("created_at"))
        .take()
}

fn rule() -> TableCreateStatement {
    Table::create()
        .table("rule")
        .col(string_len("rule_no", 32).primary_key())
        .col(string_len("kind", 16))
        .col(string_len("level", 16))
        .col(string_len("scope", 64))
        .col(string_len("version", 80))
        .col(text("tests"))
        .col(text("note"))
        .col(string_len("state", 16))
        .col(string_len_null("place", 128))
        .col(boolean("day_totals").default(false))
        .col(string_len("author", 64))
        .col(string_len_null("approver", 64))
        .col(text_null("check_report"))
        .col(text_null("shadow_report"))
        .col(string_len_null("replaces", 32))
        .col(big_integer("created_at"))
        .col(big_integer_null("activated_at"))
        .col(big_integer_null("ended_at"))
        .take()
}

fn rule_act() -> TableCreateStatement {
    Table::create()
        .table("rule_act")
        .col(pk_auto("act_id").big_integer())
        .col(string_len("rule_no", 32))
        .col(string_len("act", 16))
        .col(string_len("by_whom", 64))
        .col(text("detail"))
        .col(big_integer("acted_at"))
        .take()
}

/// Columns with defaults, so that the release before this one can go on writing.
fn additions() -> Vec<TableAlterStatement> {
    let add = |table: &'static str, column: ColumnDef| Table::alter().table(table).add_column(column).take();
    vec![
        add("merchant", string_len_null("category", 64)),
        add("channel_account", integer("weight").default(100).take()),
        add("channel_account", integer("cost_rate").default(0).take()),
        add("code", string_len_null("mch_id", 32)),
    ]
}
