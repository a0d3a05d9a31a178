"""The words of messages, in four languages, and how they lie on paper. Knows no service, no store and no link's
making."""
