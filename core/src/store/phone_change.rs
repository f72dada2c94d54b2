//! Changes of phone numbers under way: a code was sent to the new number and is waited for.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, IntoActiveModel, sea_query::OnConflict};

use crate::clock::Time;
use crate::id::Uid;

/// A change under way; one for each user.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "phone_change")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: Uid,
    /// The new number, sealed.
    pub phone_sealed: String,
    /// Its blind index.
    pub phone_index: String,
    /// The keyed hash of the code.
    pub code_hash: String,
    /// Wrong codes since it was sent.
    pub wrong: i32,
    /// Codes sent to this user since the first of them.
    pub sends: i32,
    /// When the first of them was sent.
    pub first_sent_at: Time,
    /// When the last was sent.
    pub sent_at: Time,
    /// When the code ends.
    pub expires_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The user's change under way.
pub async fn find(db: &impl ConnectionTrait, uid: &Uid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(uid.clone()).one(db).await
}

/// How many others had a code sent to a number since then.
pub async fn sent_to(db: &impl ConnectionTrait, phone_index: &str, since: Time, but: &Uid) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::PhoneIndex.eq(phone_index))
        .filter(Column::SentAt.gt(since))
        .filter(Column::Uid.ne(but.clone()))
        .count(db)
        .await
}

/// Writes a change down as it stands. Whoever does holds the user.
pub async fn put(tx: &DatabaseTransaction, change: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::column(Column::Uid)
        .update_columns([
            Column::PhoneSealed,
            Column::PhoneIndex,
            Column::CodeHash,
            Column::Wrong,
            Column::Sends,
            Column::FirstSentAt,
            Column::SentAt,
            Column::ExpiresAt,
        ])
        .to_owned();
    Entity::insert(change.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// Forgets changes that were begun before.
pub async fn forget_before(db: &impl ConnectionTrait, before: Time) -> Result<u64, DbErr> {
    Ok(Entity::delete_many()
        .filter(Column::FirstSentAt.lt(before))
        .filter(Column::SentAt.lt(before))
        .exec(db)
        .await?
        .rows_affected)
}
