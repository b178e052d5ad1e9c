"""The stage `prepare`: a source of labelled pairs becomes train, dev, test and the catalogue."""
