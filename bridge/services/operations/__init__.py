"""Operations: dead letters, backup, migrations and periodic jobs."""
