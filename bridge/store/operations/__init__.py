"""Operations: dead letters, dumps, reports and schedules."""
