"""Operations: dead letters, dumps, statistics and schedules."""
