//! Codes that were issued. Only a keyed hash of the digits is kept; the use of a code is the unique `code_id` of a payment.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::clock::Time;
use crate::id::{ChannelId, CodeId, MchId, Uid};

/// A code that was issued.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "code")]
pub struct Model {
    /// Its id: the payment id that the App knows.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code_id: CodeId,
    /// Whose it is.
    pub uid: Uid,
    /// Keyed hash of the digits.
    pub code_hash: String,
    /// The one merchant that may use it, where it was issued for one.
    pub mch_id: Option<MchId>,
    /// The payment method that the user chose for it, if he did.
    pub method: Option<ChannelId>,
    /// When it was issued.
    pub issued_at: Time,
    /// Until when it may be used.
    pub expires_at: Time,
    /// When it ended before that: superseded, revoked, account closed.
    pub ended_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a code down.
pub async fn insert(db: &impl ConnectionTrait, code: Model) -> Result<(), DbErr> {
    Entity::insert(code.into_active_model())
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// Writes many codes down by one statement.
pub async fn insert_all(db: &impl ConnectionTrait, codes: Vec<Model>) -> Result<(), DbErr> {
    Entity::insert_many(codes.into_iter().map(IntoActiveModel::into_active_model))
        .exec_without_returning(db)
        .await
        .map(|_| ())
}

/// The code of this id, of this user.
pub async fn find(db: &impl ConnectionTrait, uid: &Uid, code_id: &CodeId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(code_id.clone())
        .filter(Column::Uid.eq(uid.clone()))
        .one(db)
        .await
}

/// The newest code with these digits; the digits may have been somebody else's long ago.
pub async fn newest_by_hash(db: &impl ConnectionTrait, hash: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::CodeHash.eq(hash))
        .order_by_desc(Column::IssuedAt)
        .one(db)
        .await
}

/// The user's codes that are alive at this moment, the oldest first.
pub async fn alive(db: &impl ConnectionTrait, uid: &Uid, now: Time) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::EndedAt.is_null())
        .order_by_asc(Column::IssuedAt)
        .all(db)
        .await
}

/// How many codes the user was issued since.
pub async fn issued_since(db: &impl ConnectionTrait, uid: &Uid, since: Time) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::IssuedAt.gt(since))
        .count(db)
        .await
}

/// Ends codes of a user: the given ones, or all that are alive.
pub async fn end(db: &impl ConnectionTrait, uid: &Uid, only: Option<Vec<CodeId>>, now: Time) -> Result<(), DbErr> {
    let mut update = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    if let Some(ids) = only {
        update = update.filter(Column::CodeId.is_in(ids));
    }
    update.exec(db).await.map(|_| ())
}

/// Forgets codes that ended long ago and were never used for a payment.
pub async fn forget_before(db: &impl ConnectionTrait, before: Time, limit: u64) -> Result<u64, DbErr> {
    let old: Vec<CodeId> = Entity::find()
        .select_only()
        .column(Column::CodeId)
        .filter(Column::ExpiresAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    Ok(Entity::delete_many()
        .filter(Column::CodeId.is_in(old))
        .exec(db)
        .await?
        .rows_affected)
}
