import pytest

pytest.register_assert_rewrite("howdah.testing.scheduler_contract")
