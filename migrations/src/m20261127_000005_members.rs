//! Members: how merchants keep their members, users' memberships, what membership systems are told of money, and changes of phone
//! numbers under way.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, string_len, string_len_null, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature hides the lifetime, and async_trait wants the same"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for create in [member_system(), membership(), member_hearing(), phone_change()] {
            manager.create_table(create).await?;
        }
        for create in [
            index("membership_uid", "membership", &["uid"]),
            index("membership_due", "membership", &["next_at"]),
            index("member_hearing_due", "member_hearing", &["next_at"]),
            index("member_hearing_of", "member_hearing", &["mch_id", "uid"]),
            index("phone_change_phone", "phone_change", &["phone_index"]),
        ] {
            manager.create_index(create).await?;
        }
        // With defaults, so that the release before this one can go on writing.
        for column in [
            integer("phone_version").default(0).take(),
            big_integer_null("phone_changed_at").take(),
        ] {
            let alter = Table::alter().table("app_user").add_column(column).take();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}

fn index(name: &'static str, table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

fn member_system() -> TableCreateStatement {
    Table::create()
        .table("member_system")
        .col(string_len("mch_id", 32).primary_key())
        .col(string_len("system", 32))
        .col(text("config_sealed"))
        .col(integer("version"))
        .col(string_len("joining", 16))
        .col(string_len("status", 16))
        .col(big_integer("updated_at"))
        .take()
}

fn membership() -> TableCreateStatement {
    Table::create()
        .table("membership")
        .col(string_len("mch_id", 32))
        .col(string_len("uid", 64))
        .col(string_len("standing", 16))
        .col(string_len_null("wish", 16))
        .col(integer("wish_no"))
        .col(big_integer("wished_at"))
        .col(integer("attempts"))
        .col(big_integer_null("next_at"))
        .col(big_integer_null("busy_until"))
        .col(string_len_null("trouble", 32))
        .col(text_null("reason"))
        .col(string_len_null("member_no", 128))
        .col(big_integer("points"))
        .col(string_len_null("level", 64))
        .col(integer("phone_told"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("mch_id").col("uid"))
        .take()
}

fn member_hearing() -> TableCreateStatement {
    Table::create()
        .table("member_hearing")
        .col(string_len("ref_no", 64).primary_key())
        .col(string_len("mch_id", 32))
        .col(string_len("uid", 64))
        .col(string_len("kind", 16))
        .col(string_len("pay_no", 64))
        .col(big_integer("amount"))
        .col(integer("attempts"))
        .col(big_integer_null("next_at"))
        .col(string_len_null("trouble", 32))
        .col(big_integer_null("points_change"))
        .col(big_integer("created_at"))
        .col(big_integer_null("done_at"))
        .take()
}

fn phone_change() -> TableCreateStatement {
    Table::create()
        .table("phone_change")
        .col(string_len("uid", 64).primary_key())
        .col(text("phone_sealed"))
        .col(string_len("phone_index", 64))
        .col(string_len("code_hash", 64))
        .col(integer("wrong"))
        .col(integer("sends"))
        .col(big_integer("first_sent_at"))
        .col(big_integer("sent_at"))
        .col(big_integer("expires_at"))
        .take()
}
