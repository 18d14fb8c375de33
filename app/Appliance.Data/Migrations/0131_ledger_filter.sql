-- A team's ledger is filtered by action and by person, newest first: each pair is read from the end of its own stretch of an index.
create index ledger_entries_action on ledger_entries (tree, action, id);
create index ledger_entries_actor on ledger_entries (tree, actor, action, id);
