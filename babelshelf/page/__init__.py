"""Pages of HTML and Markdown with tables and figures (shared by data_report and the report)."""
