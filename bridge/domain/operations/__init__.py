"""Operations: dead letters, schedules and repeated requests."""
