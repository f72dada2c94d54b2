//! What merchants are owed to be told: written in the transaction of the change, once for each change (INV-17).

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryOrder, QuerySelect};

use crate::clock::Time;
use crate::id::{MchId, Uid};

/// Something that is owed.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Its place: the order of age.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// Its number as merchants see it: the same at each telling. It follows from the change, so that none is owed twice.
    pub event_id: String,
    /// Whom it concerns.
    pub mch_id: MchId,
    /// What happened.
    pub kind: String,
    /// The user that it is about, where we know him.
    pub uid: Option<Uid>,
    /// The facts, as JSON.
    pub payload: String,
    /// When.
    pub created_at: Time,
    /// When it was handed to everybody who wants to hear of it.
    pub spread_at: Option<Time>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is to be written down.
pub struct Owed<'a> {
    /// Its number.
    pub event_id: String,
    /// Whom it concerns.
    pub mch_id: &'a MchId,
    /// What happened.
    pub kind: &'static str,
    /// Who it is about.
    pub uid: Option<&'a Uid>,
    /// The facts, as JSON.
    pub payload: String,
}

/// Writes it down.
pub async fn insert(tx: &DatabaseTransaction, owed: Owed<'_>, now: Time) -> Result<(), DbErr> {
    let row = ActiveModel {
        seq: NotSet,
        event_id: Set(owed.event_id),
        mch_id: Set(owed.mch_id.clone()),
        kind: Set(owed.kind.to_owned()),
        uid: Set(owed.uid.cloned()),
        payload: Set(owed.payload),
        created_at: Set(now),
        spread_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// What nobody has heard of yet, the oldest first.
pub async fn unspread(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::SpreadAt.is_null())
        .order_by_asc(Column::Seq)
        .limit(limit)
        .all(db)
        .await
}

/// Notes that these are handed on; answers how many had not been.
pub async fn spread(tx: &DatabaseTransaction, seqs: Vec<i64>, now: Time) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::SpreadAt, Expr::value(now))
        .filter(Column::Seq.is_in(seqs))
        .filter(Column::SpreadAt.is_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// The one of this place.
pub async fn find(db: &impl ConnectionTrait, seq: i64) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(seq).one(db).await
}

/// The one of this number.
pub async fn by_event(db: &impl ConnectionTrait, event_id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::EventId.eq(event_id)).one(db).await
}

/// When the first and the last one were written down that are kept.
pub async fn span(db: &impl ConnectionTrait) -> Result<Option<(Time, Time)>, DbErr> {
    let span: Option<(Option<Time>, Option<Time>)> = Entity::find()
        .select_only()
        .column_as(Column::CreatedAt.min(), "first")
        .column_as(Column::CreatedAt.max(), "last")
        .into_tuple()
        .one(db)
        .await?;
    Ok(span.and_then(|(first, last)| Some((first?, last?))))
}

/// The numbers after a place, with their places and what happened.
pub async fn ids_after(db: &impl ConnectionTrait, seq: i64, limit: u64) -> Result<Vec<(i64, String, String)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Seq, Column::EventId, Column::Kind])
        .filter(Column::Seq.gt(seq))
        .order_by_asc(Column::Seq)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Forgets some of what was handed on before a moment, and is waited for by nobody.
pub async fn forget_before(db: &impl ConnectionTrait, before: Time, limit: u64) -> Result<u64, DbErr> {
    let old: Vec<i64> = Entity::find()
        .select_only()
        .column(Column::Seq)
        .filter(Column::SpreadAt.is_not_null())
        .filter(Column::CreatedAt.lt(before))
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    if old.is_empty() {
        return Ok(0);
    }
    let waited_for = super::delivery::among(db, &old).await?;
    let done = Entity::delete_many()
        .filter(Column::Seq.is_in(old))
        .filter(Column::Seq.is_not_in(waited_for))
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}
