"""The fixtures that other tests lean on."""

from sqlalchemy import create_engine, text


def test_a_store_is_empty_and_can_be_written(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
        connection.execute(text("INSERT INTO orders VALUES (1)"))
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar() == 1
    engine.dispose()


def test_the_next_test_does_not_meet_that_table(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    engine.dispose()
