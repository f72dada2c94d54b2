//! Users' memberships with merchants: how each stands, and what is still owed to the membership system.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{Condition, DatabaseTransaction, IntoActiveModel, QueryOrder, QuerySelect};
use serde::Serialize;

use super::member_system::{self, Joining};
use super::merchant::Standing;
use crate::clock::Time;
use crate::id::{MchId, Uid};
use crate::rules::membership::VipStatus;

/// What the user wants of a membership, until the membership system has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Wish {
    /// To be a member.
    Open,
    /// To be none.
    Close,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "membership")]
pub struct Model {
    /// With whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub mch_id: MchId,
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: Uid,
    /// How it stands by the last word of the membership system (INV-32).
    pub standing: VipStatus,
    /// What the user wants, until it is answered.
    pub wish: Option<Wish>,
    /// Counts the wishes; part of the number under which one is asked.
    pub wish_no: i32,
    /// When the last wish was written down.
    pub wished_at: Time,
    /// How often the present question has been asked without an answer that ends it.
    pub attempts: i32,
    /// When the membership system is to be asked next; nothing while nothing is owed to it.
    pub next_at: Option<Time>,
    /// Until when somebody is asking: one question about a membership is under way at a time.
    pub busy_until: Option<Time>,
    /// What went wrong the last time, by its word.
    pub trouble: Option<String>,
    /// What the membership system said last, for people.
    pub reason: Option<String>,
    /// Its number of the member.
    pub member_no: Option<String>,
    /// Points, where the platform collects them.
    pub points: i64,
    /// The level that goes with them.
    pub level: Option<String>,
    /// Which of the user's phone numbers it was told last.
    pub phone_told: i32,
    /// When it was written down first.
    pub created_at: Time,
    /// When anything of it changed last.
    pub updated_at: Time,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// One that nobody has asked for yet.
    pub fn none(mch_id: &MchId, uid: &Uid, now: Time) -> Self {
        Self {
            mch_id: mch_id.clone(),
            uid: uid.clone(),
            standing: VipStatus::Unactive,
            wish: None,
            wish_no: 0,
            wished_at: now,
            attempts: 0,
            next_at: None,
            busy_until: None,
            trouble: None,
            reason: None,
            member_no: None,
            points: 0,
            level: None,
            phone_told: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

/// The membership of a user with a merchant.
pub async fn find(db: &impl ConnectionTrait, mch_id: &MchId, uid: &Uid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((mch_id.clone(), uid.clone())).one(db).await
}

/// All memberships of a user, by merchant.
pub async fn of_user(db: &impl ConnectionTrait, uid: &Uid) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Uid.eq(uid.clone()))
        .order_by_asc(Column::MchId)
        .all(db)
        .await
}

/// Writes a membership as it stands now. Whoever does holds the user.
pub async fn put(tx: &DatabaseTransaction, membership: Model) -> Result<(), DbErr> {
    let conflict = OnConflict::columns([Column::MchId, Column::Uid])
        .update_columns([
            Column::Standing,
            Column::Wish,
            Column::WishNo,
            Column::WishedAt,
            Column::Attempts,
            Column::NextAt,
            Column::BusyUntil,
            Column::Trouble,
            Column::Reason,
            Column::MemberNo,
            Column::Points,
            Column::Level,
            Column::PhoneTold,
            Column::UpdatedAt,
        ])
        .to_owned();
    Entity::insert(membership.into_active_model())
        .on_conflict(conflict)
        .exec_without_returning(tx)
        .await
        .map(|_| ())
}

/// Wishes a membership with every merchant whose users become members when they open the code, and with whom this one has
/// none: who has left stays away.
pub async fn wish_at_opening(tx: &DatabaseTransaction, uid: &Uid, now: Time) -> Result<(), DbErr> {
    let wanting = Query::select()
        .column(member_system::Column::MchId)
        .expr(Expr::value(uid.clone()))
        .expr(Expr::value(VipStatus::Unactive))
        .expr(Expr::value(Wish::Open))
        .expr(Expr::value(1))
        .expr(Expr::value(now))
        .expr(Expr::value(0))
        .expr(Expr::value(now))
        .expr(Expr::value(0_i64))
        .expr(Expr::value(0))
        .expr(Expr::value(now))
        .expr(Expr::value(now))
        .from(member_system::Entity)
        .and_where(member_system::Column::Joining.eq(Joining::AtOpening))
        .and_where(member_system::Column::Status.eq(Standing::Active))
        .to_owned();
    let insert = Query::insert()
        .into_table(Entity)
        .columns([
            Column::MchId,
            Column::Uid,
            Column::Standing,
            Column::Wish,
            Column::WishNo,
            Column::WishedAt,
            Column::Attempts,
            Column::NextAt,
            Column::Points,
            Column::PhoneTold,
            Column::CreatedAt,
            Column::UpdatedAt,
        ])
        .select_from(wanting)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .on_conflict(
            OnConflict::columns([Column::MchId, Column::Uid])
                .do_nothing()
                .to_owned(),
        )
        .to_owned();
    tx.execute(&insert).await.map(|_| ())
}

/// A new phone number is owed to everyone with whom the user is a member, or becomes one.
pub async fn phone_is_due(tx: &DatabaseTransaction, uid: &Uid, now: Time) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .col_expr(Column::Attempts, Expr::value(0))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Uid.eq(uid.clone()))
        .filter(Column::Wish.is_null())
        .filter(Column::Standing.eq(VipStatus::Active))
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// Memberships about which somebody is to be asked, whoever has waited longest first; those of busy merchants are left out.
pub async fn due(db: &impl ConnectionTrait, now: Time, busy: &[MchId], limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextAt.lte(now))
        .filter(free(now))
        .filter(Column::MchId.is_not_in(busy.iter().cloned()))
        .order_by_asc(Column::NextAt)
        .limit(limit)
        .all(db)
        .await
}

/// Begins to ask about one, until then; `false` when somebody else has.
pub async fn take(db: &impl ConnectionTrait, seen: &Model, now: Time, until: Time) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::BusyUntil, Expr::value(until))
        .filter(Column::MchId.eq(seen.mch_id.clone()))
        .filter(Column::Uid.eq(seen.uid.clone()))
        .filter(Column::NextAt.lte(now))
        .filter(free(now))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

fn free(now: Time) -> Condition {
    Condition::any()
        .add(Column::BusyUntil.is_null())
        .add(Column::BusyUntil.lte(now))
}

/// The merchant's system answers again: whatever waits for it after a trouble is due now.
pub async fn due_again(db: &impl ConnectionTrait, mch_id: &MchId, now: Time) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .filter(Column::MchId.eq(mch_id.clone()))
        .filter(Column::NextAt.gt(now))
        .filter(Column::Trouble.is_not_null())
        .exec(db)
        .await?;
    Ok(done.rows_affected)
}
