//! Events owed to the App: written in the transaction of what they tell, read by whoever the user connects to.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryOrder, QuerySelect};

use crate::clock::Time;
use crate::id::{CodeId, Uid};

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Its position: the `Last-Event-ID` of the App.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// Whom it is for.
    pub uid: Uid,
    /// What happened (`payment.succeeded`, …).
    pub kind: String,
    /// The code it is about, where it is about one.
    pub code_id: Option<CodeId>,
    /// The facts, as JSON.
    pub payload: String,
    /// When.
    pub created_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes an event down. The user is held first: positions of one user's events grow in the order in which they become
/// visible, so that who reads on from a position misses none.
pub async fn insert(
    tx: &DatabaseTransaction,
    uid: &Uid,
    kind: &str,
    code_id: Option<CodeId>,
    payload: String,
    now: Time,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        seq: NotSet,
        uid: Set(uid.clone()),
        kind: Set(kind.to_owned()),
        code_id: Set(code_id),
        payload: Set(payload),
        created_at: Set(now),
    };
    super::user::hold(tx, uid).await?;
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// The user's events after a position, the oldest first.
pub async fn after(db: &impl ConnectionTrait, uid: &Uid, seq: i64, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// The user's last position.
pub async fn last_seq(db: &impl ConnectionTrait, uid: &Uid) -> Result<i64, DbErr> {
    let last = Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .order_by_desc(Column::Seq)
        .one(db)
        .await?;
    Ok(last.map_or(0, |event| event.seq))
}

/// Whom the events after a position are for, the oldest first.
pub async fn whom_after(db: &impl ConnectionTrait, seq: i64, limit: u64) -> Result<Vec<(i64, Uid)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Seq, Column::Uid])
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// The last position of all.
pub async fn newest_seq(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let newest: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Seq)
        .order_by_desc(Column::Seq)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    Ok(newest.unwrap_or_default())
}

/// The newest event about a code.
pub async fn newest_about(db: &impl ConnectionTrait, uid: &Uid, code_id: &CodeId) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::CodeId.eq(code_id.clone()))
        .order_by_desc(Column::Seq)
        .one(db)
        .await
}

/// Forgets events before a moment.
pub async fn forget_before(db: &impl ConnectionTrait, before: Time) -> Result<u64, DbErr> {
    Ok(Entity::delete_many()
        .filter(Column::CreatedAt.lt(before))
        .exec(db)
        .await?
        .rows_affected)
}
