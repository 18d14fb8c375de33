-- Owners of the appliance who do not come are owners no longer (docs/unused-access.md).
alter table users
    add column owner_since     timestamptz,        -- null: from the beginning, or by a version before this one
    add column owner_warned_at timestamptz,        -- when they were told that it ends
    add column owner_ended_at  timestamptz;        -- when it ended because nobody used it; another owner can give it back
