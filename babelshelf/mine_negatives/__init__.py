"""The stage `mine_negatives`: semantic hard negatives."""
